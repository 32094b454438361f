/** Kinds of the Kubernetes API as requests name them, and the paths under which they stand. */

export interface ResourceType {
  /** "" for the core group. */
  readonly group: string;
  readonly version: string;
  /** Lower-case plural, as in a path. */
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
  /** Versions with the same fields that a cluster may serve instead, newest first. */
  readonly older?: readonly string[];
}

function core(plural: string, kind: string, namespaced = true): ResourceType {
  return { group: "", version: "v1", plural, kind, namespaced };
}

function of(group: string, version: string, plural: string, kind: string, namespaced = true): ResourceType {
  return { group, version, plural, kind, namespaced };
}

/** A kind of the Gateway API, which clusters have of many releases. */
function gateway(plural: string, kind: string, ...older: readonly string[]): ResourceType {
  return { group: "gateway.networking.k8s.io", version: "v1", plural, kind, namespaced: true, older };
}

/** What the mesh reads and writes, by kind. */
export const TYPES = {
  Pod: core("pods", "Pod"),
  Service: core("services", "Service"),
  Namespace: core("namespaces", "Namespace", false),
  Node: core("nodes", "Node", false),
  ServiceAccount: core("serviceaccounts", "ServiceAccount"),
  ConfigMap: core("configmaps", "ConfigMap"),
  Secret: core("secrets", "Secret"),
  Event: core("events", "Event"),
  EndpointSlice: of("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice"),
  Deployment: of("apps", "v1", "deployments", "Deployment"),
  DaemonSet: of("apps", "v1", "daemonsets", "DaemonSet"),
  StatefulSet: of("apps", "v1", "statefulsets", "StatefulSet"),
  ReplicaSet: of("apps", "v1", "replicasets", "ReplicaSet"),
  Job: of("batch", "v1", "jobs", "Job"),
  CronJob: of("batch", "v1", "cronjobs", "CronJob"),
  Lease: of("coordination.k8s.io", "v1", "leases", "Lease"),
  TokenReview: of("authentication.k8s.io", "v1", "tokenreviews", "TokenReview", false),
  SubjectAccessReview: of("authorization.k8s.io", "v1", "subjectaccessreviews", "SubjectAccessReview", false),
  PodDisruptionBudget: of("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget"),
  MutatingWebhookConfiguration: of(
    "admissionregistration.k8s.io",
    "v1",
    "mutatingwebhookconfigurations",
    "MutatingWebhookConfiguration",
    false,
  ),
  ValidatingWebhookConfiguration: of(
    "admissionregistration.k8s.io",
    "v1",
    "validatingwebhookconfigurations",
    "ValidatingWebhookConfiguration",
    false,
  ),
  ClusterRole: of("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", false),
  ClusterRoleBinding: of("rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", false),
  Role: of("rbac.authorization.k8s.io", "v1", "roles", "Role"),
  RoleBinding: of("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding"),
  CustomResourceDefinition: of(
    "apiextensions.k8s.io",
    "v1",
    "customresourcedefinitions",
    "CustomResourceDefinition",
    false,
  ),
  HTTPRoute: gateway("httproutes", "HTTPRoute", "v1beta1"),
  GRPCRoute: gateway("grpcroutes", "GRPCRoute", "v1alpha2"),
  TCPRoute: gateway("tcproutes", "TCPRoute", "v1alpha2"),
  TLSRoute: gateway("tlsroutes", "TLSRoute", "v1alpha3", "v1alpha2"),
  ReferenceGrant: gateway("referencegrants", "ReferenceGrant", "v1beta1"),
  Server: of("policy.tulle.dev", "v1alpha1", "servers", "Server"),
  AuthorizationPolicy: of("policy.tulle.dev", "v1alpha1", "authorizationpolicies", "AuthorizationPolicy"),
  MeshTLSAuthentication: of("policy.tulle.dev", "v1alpha1", "meshtlsauthentications", "MeshTLSAuthentication"),
  NetworkAuthentication: of("policy.tulle.dev", "v1alpha1", "networkauthentications", "NetworkAuthentication"),
  RateLimitPolicy: of("policy.tulle.dev", "v1alpha1", "ratelimitpolicies", "RateLimitPolicy"),
  BackendPolicy: of("policy.tulle.dev", "v1alpha1", "backendpolicies", "BackendPolicy"),
  EgressNetwork: of("policy.tulle.dev", "v1alpha1", "egressnetworks", "EgressNetwork"),
  FaultInjection: of("policy.tulle.dev", "v1alpha1", "faultinjections", "FaultInjection"),
  ExternalWorkload: of("workload.tulle.dev", "v1alpha1", "externalworkloads", "ExternalWorkload"),
} as const satisfies Readonly<Record<string, ResourceType>>;

/** `apiVersion` of objects of a type. */
export function apiVersion(type: ResourceType): string {
  return type.group === "" ? type.version : `${type.group}/${type.version}`;
}

/** A type at each version that a cluster may serve, the newest first. */
export function typeVersions(type: ResourceType): readonly ResourceType[] {
  return [type, ...(type.older ?? []).map((version) => ({ ...type, version }))];
}

/**
 * Path of a collection, an object or a subresource.
 * @param namespace null: all namespaces (or a type without them)
 * @param name null: the collection
 */
export function resourcePath(
  type: ResourceType,
  namespace: string | null,
  name: string | null = null,
  subresource = "",
): string {
  const root = type.group === "" ? `/api/${type.version}` : `/apis/${type.group}/${type.version}`;
  const scope = type.namespaced && namespace !== null ? `/namespaces/${encodeURIComponent(namespace)}` : "";
  const object = name === null ? "" : `/${encodeURIComponent(name)}`;
  return `${root}${scope}/${type.plural}${object}${subresource === "" ? "" : `/${subresource}`}`;
}
