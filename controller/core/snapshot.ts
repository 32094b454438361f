/**
 * What proxies are told, as immutable values: the domain between the cluster's objects and the protocol. The meaning of each
 * field stands in proto/tulle/discovery/v1/discovery.proto.
 */
import type { HeaderEdit, RoutePlan, ShareFilters } from "./route_plan.ts";

/** Where something comes from. */
export interface ResourceRef {
  /** API group; "core" for Services. */
  readonly group: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly section: string;
}

export type Protocol = "detect" | "http1" | "http2" | "grpc" | "opaque";

export interface WorkloadRef {
  readonly namespace: string;
  readonly name: string;
}

export interface OutboundTarget {
  /** False: the mesh has no such service. Known without backends: nothing listens there, connections are refused. */
  readonly known: boolean;
  readonly parent: ResourceRef;
  readonly authority: string;
  readonly port: number;
  readonly protocol: Protocol;
  readonly routes: readonly OutboundRoute[];
  readonly backends: readonly Backend[];
  /** For what is not HTTP; empty: the last of `routes`. */
  readonly streamRoutes: readonly OutboundRoute[];
  /** null: everything may go there, or policy of the mesh decides. */
  readonly egress: Egress | null;
}

/** What may leave to an address that the mesh does not know. */
export interface Egress {
  /** Where no rule applies. */
  readonly allow: boolean;
  readonly fallback: ResourceRef;
  readonly rules: readonly {
    readonly network: ResourceRef;
    readonly allow: boolean;
    readonly hosts: readonly string[];
  }[];
}

export interface OutboundRoute {
  readonly route: ResourceRef;
  readonly hostnames: readonly string[];
  readonly matches: readonly HttpMatch[];
  readonly backends: readonly WeightedBackend[];
  readonly requestTimeoutMs: number | null;
  readonly backendTimeoutMs: number | null;
  readonly retry: Retry | null;
  readonly requestHeaders: HeaderEdit | null;
  readonly responseHeaders: HeaderEdit | null;
  /** null: nothing of it. */
  readonly plan: RoutePlan | null;
  /** Absent for none. */
  readonly faults?: readonly Fault[];
}

/** See Fault in the proto. */
export interface Fault {
  readonly policy: ResourceRef;
  readonly share: number;
  readonly identities: readonly string[];
  readonly untilMs: number;
  readonly delayMs: number | null;
  readonly httpStatus: number;
  readonly grpcStatus: number;
  readonly reset: boolean;
  readonly requestBytesPerSecond: number;
  readonly responseBytesPerSecond: number;
}

/** Index of a backend that does not exist: its share of the requests is answered with 500. */
export const INVALID_BACKEND = 0xffffffff;

export interface WeightedBackend {
  readonly backend: number;
  readonly weight: number;
  /** null: none. */
  readonly filters: ShareFilters | null;
}

export interface HttpMatch {
  readonly path: { readonly kind: "exact" | "prefix" | "regex"; readonly value: string } | null;
  readonly headers: readonly ValueMatch[];
  readonly query: readonly ValueMatch[];
  /** null: any. */
  readonly method: string | null;
}

export interface ValueMatch {
  readonly name: string;
  readonly match: { readonly kind: "exact" | "regex"; readonly value: string };
}

export interface Retry {
  readonly limit: number;
  readonly statusCodes: readonly number[];
  readonly grpcCodes: readonly number[];
  readonly connectionError: boolean;
  /** Shortest pause before another try; null: the proxy decides. */
  readonly backoffMs: number | null;
}

export interface Backend {
  readonly backend: ResourceRef;
  readonly port: number;
  readonly protocol: Protocol;
  readonly endpoints: readonly Endpoint[];
  readonly breaker: Breaker | null;
  readonly resilience: Resilience | null;
}

/** What is null is off. Times in milliseconds. */
export interface Resilience {
  readonly policy: ResourceRef;
  readonly ejection: {
    readonly minSuccessPercent: number;
    readonly windowMs: number;
    readonly minRequests: number;
    readonly slowAfterMs: number | null;
    readonly maxSlowPercent: number;
    readonly maxEjectedPercent: number;
  } | null;
  readonly slowStartMs: number | null;
  readonly retryBudget: { readonly percent: number; readonly minPerSecond: number } | null;
  readonly hedging: { readonly delayMs: number; readonly methods: readonly string[] } | null;
  readonly concurrency: { readonly limit: number; readonly min: number; readonly max: number } | null;
  readonly zone: { readonly spillOver: number } | null;
  readonly hash: ConsistentHash | null;
}

/** See ConsistentHash in the proto. */
export interface ConsistentHash {
  readonly by: HashKey;
  /** Header in lower case, cookie or parameter; "" for the others. */
  readonly name: string;
  /** 0: no bound. */
  readonly balancePercent: number;
  /** null: not remembered. */
  readonly affinityMs: number | null;
}

export type HashKey = "header" | "cookie" | "query" | "source_ip" | "identity";

export interface Breaker {
  readonly consecutiveFailures: number;
  readonly minPenaltyMs: number;
  readonly maxPenaltyMs: number;
}

export interface Endpoint {
  /** Canonical text. */
  readonly ip: string;
  readonly port: number;
  /** Empty without a sidecar. */
  readonly identity: string;
  /** 0 without a sidecar. */
  readonly meshPort: number;
  readonly zone: string;
  readonly workload: WorkloadRef | null;
}

export type DefaultPolicy =
  | "all-unauthenticated"
  | "all-authenticated"
  | "cluster-unauthenticated"
  | "cluster-authenticated"
  | "deny"
  | "audit";

export interface InboundWorkload {
  readonly workload: WorkloadRef;
  readonly identity: string;
  readonly ports: readonly InboundPort[];
  readonly defaultPolicy: DefaultPolicy;
  readonly clusterNetworks: readonly string[];
  /** Whence probes are admitted; empty without probes. */
  readonly probeNetworks: readonly string[];
  /** Topology zone; "" when unknown. */
  readonly zone: string;
  /** What holds on ports that are not among `ports`, too; absent for nothing. */
  readonly denials?: readonly Authorization[];
}

export interface InboundPort {
  readonly port: number;
  readonly protocol: Protocol;
  /** null: the default policy holds. */
  readonly server: ResourceRef | null;
  readonly authorizations: readonly Authorization[];
  readonly routes: readonly InboundRoute[];
  readonly defaultPolicy: DefaultPolicy;
  /** Paths that the kubelet asks for. */
  readonly probePaths: readonly string[];
  readonly rateLimit: RateLimit | null;
}

export interface Rate {
  readonly requestsPerSecond: number;
  readonly burst: number;
}

export interface RateLimit {
  readonly policy: ResourceRef;
  readonly total: Rate | null;
  readonly identity: Rate | null;
  readonly overrides: readonly { readonly rate: Rate; readonly identities: readonly string[] }[];
  readonly header: { readonly name: string; readonly rate: Rate } | null;
}

export interface InboundRoute {
  readonly route: ResourceRef;
  readonly hostnames: readonly string[];
  readonly matches: readonly HttpMatch[];
  readonly authorizations: readonly Authorization[];
  readonly rateLimit: RateLimit | null;
}

export interface Authorization {
  readonly policy: ResourceRef;
  readonly action: "allow" | "deny";
  readonly mode: "enforce" | "audit";
  readonly authentications: readonly Authentication[];
}

export type Authentication =
  | { readonly kind: "mesh_tls"; readonly source: ResourceRef; readonly identities: readonly string[] }
  | {
    readonly kind: "networks";
    readonly source: ResourceRef;
    readonly networks: readonly { readonly cidr: string; readonly except: readonly string[] }[];
  };
