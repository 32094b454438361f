/**
 * Kubernetes objects as far as the mesh reads them, already validated: what comes out of a decoder is what the types say,
 * whether it came from a file or from an API server.
 */
import type { BackendPolicy } from "./backend_policy.ts";
import type { EgressNetwork } from "./egress_network.ts";
import type { FaultInjection } from "./fault_injection.ts";
import type { RateLimitPolicy } from "./rate_limits.ts";
import type { GrpcRoute, HttpRoute, TcpRoute, TlsRoute } from "./route_resources.ts";

export type {
  AnyRoute,
  BackendPort,
  BackendRef,
  GrpcRoute,
  GrpcRouteMatch,
  HttpRoute,
  HttpRouteMatch,
  NamedMatch,
  ParentRef,
  PathMatch,
  RouteFilter,
  RouteRetry,
  RouteRule,
  TcpRoute,
  TextMatch,
  TlsRoute,
} from "./route_resources.ts";

/** Metadata that the mesh reads. */
export interface Meta {
  readonly kind: string;
  readonly namespace: string; // "" for objects outside of namespaces
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Milliseconds since 1970, or null when unknown (files). Older objects win ties. */
  readonly createdMs: number | null;
}

export interface Namespace {
  readonly kind: "Namespace";
  readonly meta: Meta;
}

export interface ServiceAccount {
  readonly kind: "ServiceAccount";
  readonly meta: Meta;
}

export interface Service {
  readonly kind: "Service";
  readonly meta: Meta;
  /** null: endpoints come from EndpointSlices only. */
  readonly selector: Readonly<Record<string, string>> | null;
  readonly ports: readonly ServicePort[];
  /** Canonical addresses; empty when headless or not assigned. */
  readonly clusterIPs: readonly string[];
  /** clusterIP is "None": nobody assigns an address. */
  readonly headless: boolean;
  /** type ExternalName: a DNS alias, no endpoints. */
  readonly externalName: string | null;
  readonly publishNotReadyAddresses: boolean;
  /** internalTrafficPolicy Local: a client gets the endpoints of its own node and no others. */
  readonly nodeLocal: boolean;
  /** sessionAffinity ClientIP: how long after its last connection a client stays with its endpoint; null: None. */
  readonly affinityMs: number | null;
}

export interface ServicePort {
  /** Empty when the Service has one unnamed port. */
  readonly name: string;
  readonly port: number;
  /** Number, or name of a port of the workload. Kubernetes' default is `port`. */
  readonly targetPort: number | string;
  readonly protocol: "TCP" | "UDP" | "SCTP";
  readonly appProtocol: string | null;
}

export interface EndpointSlice {
  readonly kind: "EndpointSlice";
  readonly meta: Meta;
  readonly addressType: "IPv4" | "IPv6" | "FQDN";
  readonly endpoints: readonly SliceEndpoint[];
  readonly ports: readonly SlicePort[];
}

export interface SliceEndpoint {
  /** Canonical addresses (names for FQDN). */
  readonly addresses: readonly string[];
  /** Absent conditions count as ready, as the API says. */
  readonly ready: boolean;
  readonly serving: boolean;
  readonly terminating: boolean;
  readonly zone: string | null;
  /** "" when unknown. */
  readonly nodeName: string;
  readonly target: ObjectRef | null;
}

export interface SlicePort {
  readonly name: string;
  /** null: all ports. */
  readonly port: number | null;
  readonly protocol: "TCP" | "UDP" | "SCTP";
  readonly appProtocol: string | null;
}

/** A reference to another object. `namespace` is null where the object's own is meant. */
export interface ObjectRef {
  /** "" is the core group. */
  readonly group: string;
  readonly kind: string;
  readonly namespace: string | null;
  readonly name: string;
}

/** Allows routes of other namespaces to refer to objects of its own. */
export interface ReferenceGrant {
  readonly kind: "ReferenceGrant";
  readonly meta: Meta;
  readonly from: readonly GrantFrom[];
  readonly to: readonly GrantTo[];
}

export interface GrantFrom {
  readonly group: string;
  readonly kind: string;
  readonly namespace: string;
}

export interface GrantTo {
  readonly group: string;
  readonly kind: string;
  /** null: all of the kind. */
  readonly name: string | null;
}

export interface LabelSelector {
  readonly matchLabels: Readonly<Record<string, string>>;
  readonly matchExpressions: readonly LabelRequirement[];
}

export interface LabelRequirement {
  readonly key: string;
  readonly operator: "In" | "NotIn" | "Exists" | "DoesNotExist";
  readonly values: readonly string[];
}

/** Values of accessPolicy and of the annotation tulle.dev/default-inbound-policy. */
export const DEFAULT_POLICIES = [
  "all-unauthenticated",
  "all-authenticated",
  "cluster-unauthenticated",
  "cluster-authenticated",
  "deny",
  "audit",
] as const;
export type DefaultPolicyName = (typeof DEFAULT_POLICIES)[number];

export const PROXY_PROTOCOLS = ["unknown", "HTTP/1", "HTTP/2", "gRPC", "opaque", "TLS"] as const;
export type ProxyProtocol = (typeof PROXY_PROTOCOLS)[number];

export interface Server {
  readonly kind: "Server";
  readonly meta: Meta;
  readonly podSelector: LabelSelector | null;
  readonly externalWorkloadSelector: LabelSelector | null;
  readonly port: number | string;
  readonly proxyProtocol: ProxyProtocol;
  readonly accessPolicy: DefaultPolicyName;
}

export interface AuthorizationPolicy {
  readonly kind: "AuthorizationPolicy";
  readonly meta: Meta;
  readonly target: ObjectRef;
  readonly authentications: readonly ObjectRef[];
  readonly action: "Allow" | "Deny";
  readonly mode: "enforce" | "audit";
}

export interface MeshTLSAuthentication {
  readonly kind: "MeshTLSAuthentication";
  readonly meta: Meta;
  /** SPIFFE IDs, exact or with "*" as the last character; "*" alone. */
  readonly identities: readonly string[];
  readonly identityRefs: readonly ObjectRef[];
}

export interface NetworkAuthentication {
  readonly kind: "NetworkAuthentication";
  readonly meta: Meta;
  readonly networks: readonly NetworkBlock[];
}

export interface NetworkBlock {
  /** Canonical. */
  readonly cidr: string;
  readonly except: readonly string[];
}

export interface ExternalWorkload {
  readonly kind: "ExternalWorkload";
  readonly meta: Meta;
  readonly serviceAccountName: string;
  /** SPIFFE ID given by hand instead of the one made of namespace and service account. */
  readonly identity: string | null;
  /** Canonical addresses. With replicas, the i-th belongs to instance i. */
  readonly workloadIPs: readonly string[];
  readonly ports: readonly WorkloadPort[];
  readonly run: WorkloadRun | null;
  /** Condition Ready of the status; true when it says nothing. */
  readonly ready: boolean;
}

/** A pod as far as the mesh looks at it. */
export interface Pod {
  readonly kind: "Pod";
  readonly meta: Meta;
  readonly serviceAccountName: string;
  /** Canonical; empty while it has none. */
  readonly podIPs: readonly string[];
  /** It has its node's addresses, which belong to others too. */
  readonly hostNetwork: boolean;
  /** Empty while it is not scheduled. */
  readonly nodeName: string;
  /** Of all containers but the sidecar. */
  readonly ports: readonly WorkloadPort[];
  readonly probes: readonly Probe[];
  /** It carries the sidecar. */
  readonly meshed: boolean;
  readonly ready: boolean;
  /** Succeeded or Failed: its addresses may belong to another pod by now. */
  readonly finished: boolean;
  /** Somebody deleted it; it may still serve what is under way. */
  readonly terminating: boolean;
  /** Its controller, such as a ReplicaSet. */
  readonly owner: { readonly kind: string; readonly name: string } | null;
}

/** What the kubelet asks, in plaintext and from the node, to see how a container is. */
export interface Probe {
  readonly port: number;
  /** Path of the request, without a query. */
  readonly path: string;
}

export interface WorkloadPort {
  readonly name: string;
  readonly port: number;
  readonly protocol: "TCP" | "UDP";
  readonly appProtocol: string | null;
}

/** How `tulle up` runs the workload on this machine. */
export interface WorkloadRun {
  readonly replicas: number;
  /** Program and arguments, at least one. */
  readonly command: readonly string[];
  /** As written; relative ones count from the folder of the file. null: that folder. */
  readonly workingDir: string | null;
  readonly env: readonly { readonly name: string; readonly value: string }[];
}

export type Resource =
  | Namespace
  | ServiceAccount
  | Service
  | EndpointSlice
  | HttpRoute
  | GrpcRoute
  | TcpRoute
  | TlsRoute
  | ReferenceGrant
  | Server
  | AuthorizationPolicy
  | MeshTLSAuthentication
  | NetworkAuthentication
  | RateLimitPolicy
  | BackendPolicy
  | EgressNetwork
  | FaultInjection
  | ExternalWorkload
  | Pod;

/** Kinds of policy.tulle.dev: the controller writes into them whether they are in force. */
export const POLICY_KINDS = [
  "Server",
  "AuthorizationPolicy",
  "MeshTLSAuthentication",
  "NetworkAuthentication",
  "RateLimitPolicy",
  "BackendPolicy",
  "EgressNetwork",
  "FaultInjection",
] as const satisfies readonly Resource["kind"][];

export type Kind = Resource["kind"];
export type ResourceOf<K extends Kind> = Extract<Resource, { readonly kind: K }>;

/** "Service shop/web": the name people know an object by, unique among the objects we read. */
export function resourceKey(kind: string, namespace: string, name: string): string {
  return `${kind} ${namespace === "" ? "" : `${namespace}/`}${name}`;
}

/** Key of an object. */
export function keyOf(resource: Resource): string {
  return resourceKey(resource.kind, resource.meta.namespace, resource.meta.name);
}
