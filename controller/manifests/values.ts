/** What an installation may be told; the Helm chart's values have the same names. */

export interface Resources {
  readonly cpuRequest: string;
  readonly memoryRequest: string;
  readonly memoryLimit: string;
}

export interface InstallValues {
  /** Image of all parts: controller, agent, sidecar. */
  readonly image: string;
  readonly imagePullPolicy: "Always" | "IfNotPresent" | "Never";
  /** Controllers; from two on they are spread over nodes, and a disruption takes one at a time. */
  readonly controllerReplicas: number;
  readonly controllerResources: Resources;
  readonly agentResources: Resources;
  readonly trustDomain: string;
  readonly clusterDomain: string;
  /** "" for the private networks. */
  readonly clusterNetworks: string;
  readonly defaultInboundPolicy: string;
  readonly logLevel: string;
  /** False: the Secret `issuer` is made by cert-manager or by hand. */
  readonly createIssuer: boolean;
  /** Folders of the node; distributions differ. */
  readonly cniBinDir: string;
  readonly cniConfDir: string;
  /** Further settings of all sidecars, as annotations: {"tulle.dev/proxy-cpu-request": "10m"}. */
  readonly sidecar: Readonly<Record<string, string>>;
  /** Version written into labels. */
  readonly version: string;
}

/** A cluster to try it on; production takes two controllers. */
export function defaultValues(version: string): InstallValues {
  return {
    image: `tulle:${version}`,
    imagePullPolicy: "IfNotPresent",
    controllerReplicas: 1,
    controllerResources: { cpuRequest: "50m", memoryRequest: "128Mi", memoryLimit: "1Gi" },
    agentResources: { cpuRequest: "10m", memoryRequest: "64Mi", memoryLimit: "512Mi" },
    trustDomain: "cluster.local",
    clusterDomain: "cluster.local",
    clusterNetworks: "",
    defaultInboundPolicy: "all-unauthenticated",
    logLevel: "info",
    createIssuer: true,
    cniBinDir: "/opt/cni/bin",
    cniConfDir: "/etc/cni/net.d",
    sidecar: {},
    version,
  };
}
