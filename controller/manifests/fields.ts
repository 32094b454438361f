/**
 * What each value of an installation may be, as data: `tulle install --set` and `-f` are checked by it, and the Helm chart's
 * values.yaml and values.schema.json are made from it.
 */
import { LOG_LEVELS } from "../../src/base/log.ts";
import { DEFAULT_POLICIES } from "../kube/resources.ts";

export type Field = { readonly help: string } & Shape;

type Shape =
  | { readonly kind: "text"; readonly pattern: string; readonly form: string }
  | { readonly kind: "choice"; readonly choices: readonly string[] }
  | { readonly kind: "count"; readonly least: number; readonly most: number }
  | { readonly kind: "flag" }
  /** A mapping of texts with any keys. */
  | { readonly kind: "texts" }
  /** Mappings as Kubernetes has them; the API server checks what is in them. */
  | { readonly kind: "list" }
  | { readonly kind: "group"; readonly fields: Fields };

export type Fields = Readonly<Record<string, Field>>;

function text(help: string, pattern: string, form: string): Field {
  return { kind: "text", help, pattern, form };
}

const MAX_REPLICAS = 9;
const QUANTITY = "^[0-9]+(\\.[0-9]+)?(m|k|M|G|Ki|Mi|Gi)?$";
const QUANTITY_FORM = "a quantity such as 100m or 64Mi";
const NAME = "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$";
const NAME_FORM = "lower-case letters, digits, - and .";
const FOLDER = "^/[^\\s]+$";
const FOLDER_FORM = "an absolute path";

function resources(help: string): Field {
  const fields = {
    cpuRequest: text("CPU that is set aside.", QUANTITY, QUANTITY_FORM),
    memoryRequest: text("Memory that is set aside.", QUANTITY, QUANTITY_FORM),
    memoryLimit: text("Most memory.", QUANTITY, QUANTITY_FORM),
  };
  return { kind: "group", help, fields };
}

/** Fields of InstallValues but for the version, which is the binary's own. */
export const INSTALL_FIELDS = {
  image: text("Image of all parts: controller, agent, sidecar.", "^[^\\s\"']{1,512}$", "an image such as tulle:1.2.3"),
  imagePullPolicy: {
    kind: "choice",
    choices: ["Always", "IfNotPresent", "Never"],
    help: "When the image is pulled.",
  },
  controllerReplicas: {
    kind: "count",
    least: 1,
    most: MAX_REPLICAS,
    help: "Controllers; from two on they are spread over nodes, and a disruption takes one at a time.",
  },
  controllerResources: resources("Of each controller."),
  controllerPriorityClass: text("PriorityClass of the controllers.", NAME, NAME_FORM),
  controllerNodeSelector: { kind: "texts", help: "Labels of the nodes on which controllers may run." },
  controllerTolerations: { kind: "list", help: "Tolerations of the controllers, as in a pod." },
  agentResources: resources("Of the agent on each node."),
  agentPriorityClass: text("PriorityClass of the agents.", NAME, NAME_FORM),
  trustDomain: text("Trust domain of the identities.", NAME, NAME_FORM),
  clusterDomain: text("End of the full names of Services.", NAME, NAME_FORM),
  clusterNetworks: text(
    'Networks of the cluster, between commas; "" for the private ones.',
    "^([0-9a-fA-F.:]+/[0-9]{1,3}(,[0-9a-fA-F.:]+/[0-9]{1,3})*)?$",
    "networks such as 10.0.0.0/8,fd00::/8",
  ),
  defaultInboundPolicy: {
    kind: "choice",
    choices: DEFAULT_POLICIES,
    help: "Who may call where no policy says it.",
  },
  logLevel: { kind: "choice", choices: LOG_LEVELS, help: "Least level that controller and agent log." },
  webhookFailurePolicy: {
    kind: "choice",
    choices: ["Ignore", "Fail"],
    help: "Pods that are made while no controller answers: let in unmeshed and told, or refused (with --ha, then).",
  },
  createIssuer: { kind: "flag", help: "False: the Secret tulle/issuer is made by cert-manager or by you." },
  cniBinDir: text("Folder of the nodes' network plugins.", FOLDER, FOLDER_FORM),
  cniConfDir: text("Folder of the nodes' network configuration.", FOLDER, FOLDER_FORM),
  agentSocketDir: text("Folder of each node where plugin and agent meet.", FOLDER, FOLDER_FORM),
  sidecar: {
    kind: "texts",
    help: "Settings of all sidecars where no annotation says otherwise, such as proxy-cpu-request: 20m.",
  },
  podMonitor: {
    kind: "group",
    help: "PodMonitors for the Prometheus operator: sidecars, controller, agents.",
    fields: {
      enabled: { kind: "flag", help: "Needs the operator's CustomResourceDefinitions." },
      interval: text("Time between two scrapes.", "^[0-9]+(ms|s|m)$", "a duration such as 30s"),
      labels: { kind: "texts", help: "Labels by which your Prometheus chooses its monitors." },
    },
  },
  installCrds: { kind: "flag", help: "False: the definitions of our kinds are installed apart." },
} as const satisfies Fields;
