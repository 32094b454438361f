/** The mesh that is installed in a cluster: its version, its values, and who manages it. */
import { UsageError } from "../../src/base/error.ts";
import type { KubeClient, KubeObject } from "../api/client.ts";
import { TYPES } from "../api/resource_type.ts";
import { CONTROLLER, MESH_NAMESPACE } from "../core/cluster_names.ts";
import { VALUES_ANNOTATION } from "../manifests/record.ts";

export interface Installed {
  readonly version: string;
  readonly image: string;
  /** Values that differed from the defaults of that version. */
  readonly values: Readonly<Record<string, unknown>>;
}

/** @returns null when there is no controller @throws ApiError, UsageError for values that cannot be read */
export async function findInstalled(client: KubeClient): Promise<Installed | null> {
  const deployment = await client.find(TYPES.Deployment, MESH_NAMESPACE, CONTROLLER);
  if (deployment === null) return null;
  const { labels = {}, annotations = {} } = deployment.metadata;
  const version = labels["app.kubernetes.io/version"] ?? "";
  const container = containerOf(deployment);
  const kept = annotations[VALUES_ANNOTATION];
  const values = kept === undefined ? valuesFromPod(deployment, container) : readKept(kept);
  return { version, image: container.image ?? "", values };
}

/** @throws UsageError when Helm keeps the objects: two masters would undo each other's work */
export async function refuseHelm(client: KubeClient, verb: "upgrade" | "uninstall"): Promise<void> {
  const deployment = await client.find(TYPES.Deployment, MESH_NAMESPACE, CONTROLLER);
  const release = deployment?.metadata.annotations?.["meta.helm.sh/release-name"];
  if (release === undefined) return;
  const namespace = deployment?.metadata.annotations?.["meta.helm.sh/release-namespace"] ?? "default";
  const chart = verb === "upgrade" ? " CHART --reset-then-reuse-values" : "";
  throw new UsageError(`the mesh was installed by Helm: helm ${verb} ${release}${chart} -n ${namespace}`);
}

interface Container {
  readonly image?: string;
  readonly imagePullPolicy?: string;
  readonly args?: readonly string[];
}

function containerOf(deployment: KubeObject): Container {
  const spec = deployment["spec"] as { template?: { spec?: { containers?: readonly Container[] } } } | undefined;
  return spec?.template?.spec?.containers?.[0] ?? {};
}

function readKept(text: string): Installed["values"] {
  try {
    return JSON.parse(text) as Installed["values"]; // checked when merged
  } catch {
    throw new UsageError(
      `the annotation ${VALUES_ANNOTATION} of deployment/controller is not JSON: correct or remove it`,
    );
  }
}

/** Arguments of the controller that are a value of the same meaning. */
const ARGUMENTS: ReadonlyMap<string, string> = new Map([
  ["trust-domain", "trustDomain"],
  ["cluster-domain", "clusterDomain"],
  ["cluster-networks", "clusterNetworks"],
  ["default-inbound-policy", "defaultInboundPolicy"],
  ["log-level", "logLevel"],
]);

/** Of a Deployment without the annotation: what its arguments say. Resources and folders of the nodes are not among them. */
function valuesFromPod(deployment: KubeObject, { image, imagePullPolicy, args = [] }: Container): Installed["values"] {
  const { replicas } = (deployment["spec"] ?? {}) as { replicas?: number };
  const values: Record<string, unknown> = {};
  const sidecar: Record<string, string> = {};
  for (const argument of args) {
    const [, flag = "", value = ""] = /^--([a-z-]+)(?:=(.*))?$/s.exec(argument) ?? [];
    const key = ARGUMENTS.get(flag);
    if (key !== undefined) values[key] = value;
    if (flag === "no-create-issuer") values["createIssuer"] = false;
    const [, name = "", setting = ""] = flag === "sidecar" ? /^([^=]+)=(.*)$/s.exec(value) ?? [] : [];
    // The image is written there by the builder itself.
    if (name !== "" && !name.startsWith("tulle.dev/proxy-image")) sidecar[name] = setting;
  }
  return {
    ...values,
    sidecar,
    ...(image === undefined ? {} : { image }),
    ...(imagePullPolicy === undefined ? {} : { imagePullPolicy }),
    ...(replicas === undefined || replicas < 1 ? {} : { controllerReplicas: replicas }),
  };
}
