/** `tulle uninstall`: everything of the mesh that a cluster has, for `kubectl delete -f -`. */
import type { KubeClient, KubeObject, Query } from "../api/client.ts";
import { ApiError } from "../api/api_error.ts";
import { apiVersion, type ResourceType, TYPES } from "../api/resource_type.ts";
import { BUNDLE_CONFIG_MAP, CONTROL_PLANE_LABEL, MESH_NAMESPACE } from "../core/cluster_names.ts";
import type { Manifest } from "../manifests/manifests.ts";
import { printManifests } from "../manifests/print.ts";
import { findPods } from "./cluster_targets.ts";
import { runCommand, teachingCommand } from "./_command.ts";
import { refuseHelm } from "./_installed.ts";
import { type KubeOptions, openCluster, withKubeOptions } from "./_kube_options.ts";
import { restartLines } from "./_meshed_workloads.ts";

const POD_MONITOR: ResourceType = {
  group: "monitoring.coreos.com",
  version: "v1",
  plural: "podmonitors",
  kind: "PodMonitor",
  namespaced: true,
};

/**
 * In the order of deletion: no new sidecars; the agents, which take the plugin out of the nodes as they end; the controller,
 * which would write its objects anew; our rights and kinds. Whatever else is in the namespace goes with it.
 */
const ORDER: readonly ResourceType[] = [
  TYPES.MutatingWebhookConfiguration,
  TYPES.ValidatingWebhookConfiguration,
  TYPES.DaemonSet,
  TYPES.Deployment,
  POD_MONITOR,
  TYPES.ClusterRoleBinding,
  TYPES.ClusterRole,
  TYPES.CustomResourceDefinition,
];

/** @param argv arguments after "uninstall" */
export async function runUninstall(argv: readonly string[]): Promise<void> {
  const command = withKubeOptions(
    teachingCommand("uninstall", "Print everything of the mesh that the cluster has, for kubectl delete -f -.", [
      "tulle uninstall | kubectl delete -f -",
    ]),
  ).action(async (options: KubeOptions) => {
    const client = openCluster(options);
    await refuseHelm(client, "uninstall");
    const found = await findParts(client);
    if (found.length === 0) {
      process.stderr.write("nothing of the mesh is in this cluster\n");
      process.exitCode = 1;
      return;
    }
    process.stderr.write(adviceText(restartLines((await findPods(client, null, [])).pods)));
    process.stdout.write(printManifests(found));
  });
  await runCommand(command, argv);
}

async function findParts(client: KubeClient): Promise<Manifest[]> {
  const ours = { labelSelector: CONTROL_PLANE_LABEL };
  const parts: Manifest[] = [];
  for (const type of ORDER) {
    parts.push(...await namesOf(client, type, type.namespaced ? MESH_NAMESPACE : null, ours));
  }
  // A pod that runs keeps what it has mounted.
  parts.push(...await namesOf(client, TYPES.ConfigMap, null, { fieldSelector: `metadata.name=${BUNDLE_CONFIG_MAP}` }));
  const namespace = await client.find(TYPES.Namespace, null, MESH_NAMESPACE);
  return namespace === null ? parts : [...parts, head(TYPES.Namespace, namespace)];
}

async function namesOf(client: KubeClient, type: ResourceType, namespace: string | null, query: Query) {
  try {
    return (await client.list(type, namespace, query)).map((object) => head(type, object));
  } catch (error) {
    if (error instanceof ApiError && error.isNotFound) return []; // the kind itself is not defined
    throw error;
  }
}

/** What a deletion needs to know. */
function head(type: ResourceType, { metadata }: KubeObject): Manifest {
  const namespace = metadata.namespace === undefined ? {} : { namespace: metadata.namespace };
  return { apiVersion: apiVersion(type), kind: type.kind, metadata: { name: metadata.name, ...namespace } };
}

function adviceText(restarts: readonly string[]): string {
  if (restarts.length === 0) return "no pod has a sidecar\n";
  return [
    "these pods have sidecars, which go on with what they know and hear of nothing new once the mesh is gone:",
    "restart them without right after, or before with the annotation tulle.dev/inject=disabled on their namespaces",
    ...restarts.map((line) => `  ${line}`),
    "",
  ].join("\n");
}
