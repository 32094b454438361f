/**
 * Builders of the resources that meshes in tests are made of. Defaults are valid; a test states only what it is about.
 * Everything is in the namespace "shop" unless said otherwise, and a workload runs under an account of its own name.
 */

export const NAMESPACE = "shop";
export const TRUST_DOMAIN = "cluster.local";

/** A Kubernetes object as it goes into YAML. */
export type Resource = Readonly<Record<string, unknown>>;

export interface WorkloadSpec {
  readonly name: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly app: string;
  readonly annotations: Readonly<Record<string, string>>;
  readonly ports: readonly { readonly name: string; readonly port: number; readonly appProtocol: string | null }[];
  /** Targets this workload calls, "service:port", "namespace/service:port" or "address:port" outside of the mesh: each becomes a forward of its sidecar. */
  readonly calls: readonly string[];
  /** Topology zone; "" for none. */
  readonly zone: string;
  /** False: it has no sidecar. */
  readonly meshed: boolean;
  /** False: it counts as meshed, but no sidecar is started; a test plays its part. */
  readonly started: boolean;
  /** More environment for its sidecar. */
  readonly env: Readonly<Record<string, string>>;
}

/** A workload; services select it by its `app` label, which is its name unless given. */
export function workload(name: string, more: Partial<Omit<WorkloadSpec, "name">> = {}): WorkloadSpec {
  return {
    name,
    namespace: NAMESPACE,
    serviceAccount: name,
    app: name,
    annotations: {},
    ports: [],
    calls: [],
    zone: "",
    meshed: true,
    started: true,
    env: {},
    ...more,
  };
}

export interface ServiceSpec {
  readonly name: string;
  readonly namespace: string;
  readonly app: string;
  readonly annotations: Readonly<Record<string, string>>;
  /** More of its spec. */
  readonly spec: Resource;
  readonly ports: readonly {
    readonly port: number;
    readonly targetPort: number;
    readonly appProtocol: string | null;
  }[];
}

/**
 * A service `name` with one port that leads to the same port of the workloads labelled with that name.
 * appProtocol null: the mesh has to find out.
 */
export function service(
  name: string,
  port: number,
  appProtocol: string | null = null,
  more: Partial<Omit<ServiceSpec, "name" | "ports">> = {},
): ServiceSpec {
  return {
    name,
    namespace: NAMESPACE,
    app: name,
    annotations: {},
    spec: {},
    ...more,
    ports: [{ port, targetPort: port, appProtocol }],
  };
}

export function serviceResource(spec: ServiceSpec, clusterIp: string): Resource {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: spec.name, namespace: spec.namespace, annotations: spec.annotations },
    spec: {
      clusterIP: clusterIp,
      selector: { app: spec.app },
      ...spec.spec,
      ports: spec.ports.map(({ port, targetPort, appProtocol }) => ({
        name: `p${port}`,
        port,
        targetPort,
        ...(appProtocol === null ? {} : { appProtocol }),
      })),
    },
  };
}

/** @param isReady false: services leave it out */
export function workloadResource(spec: WorkloadSpec, ip: string, isReady = true): Resource {
  const annotations = { ...spec.annotations, "tulle.dev/inject": spec.meshed ? "enabled" : "disabled" };
  return {
    apiVersion: "workload.tulle.dev/v1alpha1",
    kind: "ExternalWorkload",
    metadata: {
      name: spec.name,
      namespace: spec.namespace,
      labels: {
        app: spec.app,
        workload: spec.name,
        ...(spec.zone === "" ? {} : { "topology.kubernetes.io/zone": spec.zone }),
      },
      annotations,
    },
    spec: {
      serviceAccountName: spec.serviceAccount,
      workloadIPs: [{ ip }],
      ports: spec.ports.map(({ name, port, appProtocol }) => ({
        name,
        port,
        ...(appProtocol === null ? {} : { appProtocol }),
      })),
    },
    ...(isReady ? {} : { status: { conditions: [{ type: "Ready", status: "False" }] } }),
  };
}

/** A Server: the port of the workloads labelled `app`, with route or server policies of its own. */
export function server(name: string, app: string, port: number, more: Resource = {}): Resource {
  return {
    apiVersion: "policy.tulle.dev/v1alpha1",
    kind: "Server",
    metadata: { name, namespace: NAMESPACE },
    spec: { externalWorkloadSelector: { matchLabels: { app } }, port, ...more },
  };
}

/** Admits to the target the given service accounts of the namespace, by mutual TLS. */
export function allowAccounts(
  name: string,
  target: { kind: string; name: string },
  accounts: readonly string[],
): Resource[] {
  const group = target.kind === "Server" ? "policy.tulle.dev" : "gateway.networking.k8s.io";
  return [
    {
      apiVersion: "policy.tulle.dev/v1alpha1",
      kind: "MeshTLSAuthentication",
      metadata: { name, namespace: NAMESPACE },
      spec: { identityRefs: accounts.map((account) => ({ kind: "ServiceAccount", name: account })) },
    },
    {
      apiVersion: "policy.tulle.dev/v1alpha1",
      kind: "AuthorizationPolicy",
      metadata: { name, namespace: NAMESPACE },
      spec: {
        targetRef: { group, kind: target.kind, name: target.name },
        requiredAuthenticationRefs: [{ group: "policy.tulle.dev", kind: "MeshTLSAuthentication", name }],
      },
    },
  ];
}

interface RouteParent {
  readonly kind: "Service" | "Server";
  readonly name: string;
  readonly port?: number;
}

/** An HTTPRoute whose parent is a Service (outbound) or a Server (inbound). */
export function httpRoute(name: string, parent: RouteParent, rules: readonly Resource[]): Resource {
  return route("HTTPRoute", name, parent, rules);
}

/** A GRPCRoute, likewise. */
export function grpcRoute(name: string, parent: RouteParent, rules: readonly Resource[]): Resource {
  return route("GRPCRoute", name, parent, rules);
}

function route(kind: string, name: string, parent: RouteParent, rules: readonly Resource[]): Resource {
  const group = parent.kind === "Service" ? "" : "policy.tulle.dev";
  return {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind,
    metadata: { name, namespace: NAMESPACE },
    spec: { parentRefs: [{ group, ...parent }], rules },
  };
}

/** A rule that splits all requests over services by weight: { "web-a": 90, "web-b": 10 }, at one port. */
export function split(weights: Readonly<Record<string, number>>, port: number): Resource {
  return { backendRefs: Object.entries(weights).map(([name, weight]) => ({ name, port, weight })) };
}

/** The SPIFFE ID of an account in the tests' namespace. */
export function spiffeId(account: string, namespace = NAMESPACE): string {
  return `spiffe://${TRUST_DOMAIN}/ns/${namespace}/sa/${account}`;
}
