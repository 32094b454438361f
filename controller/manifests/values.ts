/** What an installation may be told; the Helm chart's values have the same names. */
import { dirname } from "node:path";
import { AGENT_SOCKET } from "../core/cluster_names.ts";

export interface Resources {
  readonly cpuRequest: string;
  readonly memoryRequest: string;
  readonly memoryLimit: string;
}

/** PodMonitors of the Prometheus operator (monitoring.coreos.com), for those who run it. */
export interface PodMonitorValues {
  readonly enabled: boolean;
  /** Time between two scrapes, such as 30s. */
  readonly interval: string;
  /** Labels by which a Prometheus chooses its monitors. */
  readonly labels: Readonly<Record<string, string>>;
}

export interface InstallValues {
  /** Image of all parts: controller, agent, sidecar. */
  readonly image: string;
  readonly imagePullPolicy: "Always" | "IfNotPresent" | "Never";
  /** Controllers; from two on they are spread over nodes, and a disruption takes one at a time. */
  readonly controllerReplicas: number;
  readonly controllerResources: Resources;
  readonly controllerPriorityClass: string;
  /** Where controllers may run, as in a pod. */
  readonly controllerNodeSelector: Readonly<Record<string, string>>;
  readonly controllerTolerations: readonly unknown[];
  readonly agentResources: Resources;
  readonly agentPriorityClass: string;
  readonly trustDomain: string;
  readonly clusterDomain: string;
  /** "" for the private networks. */
  readonly clusterNetworks: string;
  readonly defaultInboundPolicy: string;
  readonly logLevel: string;
  /** Pods that are made while no controller answers: "Ignore" lets them in unmeshed, and they are told; "Fail" refuses them. */
  readonly webhookFailurePolicy: "Ignore" | "Fail";
  /** False: the Secret `issuer` is made by cert-manager or by hand. */
  readonly createIssuer: boolean;
  /** Folders of the node; distributions differ. */
  readonly cniBinDir: string;
  readonly cniConfDir: string;
  /** Where plugin and agent meet; a folder that belongs to one node alone. */
  readonly agentSocketDir: string;
  /** Further settings of all sidecars, as annotations: {"tulle.dev/proxy-cpu-request": "10m"}. */
  readonly sidecar: Readonly<Record<string, string>>;
  readonly podMonitor: PodMonitorValues;
  /** False: the definitions of our kinds are installed apart. */
  readonly installCrds: boolean;
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
    controllerPriorityClass: "system-cluster-critical",
    controllerNodeSelector: {},
    controllerTolerations: [],
    agentResources: { cpuRequest: "10m", memoryRequest: "64Mi", memoryLimit: "512Mi" },
    agentPriorityClass: "system-node-critical",
    trustDomain: "cluster.local",
    clusterDomain: "cluster.local",
    clusterNetworks: "",
    defaultInboundPolicy: "all-unauthenticated",
    logLevel: "info",
    webhookFailurePolicy: "Ignore",
    createIssuer: true,
    cniBinDir: "/opt/cni/bin",
    cniConfDir: "/etc/cni/net.d",
    agentSocketDir: dirname(AGENT_SOCKET),
    sidecar: {},
    podMonitor: { enabled: false, interval: "30s", labels: {} },
    installCrds: true,
    version,
  };
}
