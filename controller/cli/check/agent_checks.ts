/** Whether every node has an agent, and every agent has its plugin in the node's chain. */
import { errorText } from "../../../src/base/error.ts";
import { ApiError } from "../../api/api_error.ts";
import type { KubeClient, KubeObject } from "../../api/client.ts";
import { TYPES } from "../../api/resource_type.ts";
import { AGENT, AGENT_ADMIN_PORT, MESH_NAMESPACE } from "../../core/cluster_names.ts";
import type { Section } from "./finding.ts";
import { isReady } from "./pod_state.ts";

const CHECK = "the network plugin is on every node";
const CHAINED = "the network plugin is in every node's chain";
/** Nodes named in a finding. */
const MAX_NAMES = 10;

/** Two findings: an agent that is missing or does not run, and one that runs and cannot chain its plugin. */
export async function checkAgents(client: KubeClient, section: Section): Promise<void> {
  if (await client.find(TYPES.DaemonSet, MESH_NAMESPACE, AGENT) === null) {
    return section.fail(CHECK, "its DaemonSet is missing", "tulle install | kubectl apply --server-side -f -");
  }
  const nodes = (await client.list(TYPES.Node, null)).map(({ metadata }) => metadata.name ?? "");
  const agents = new Map<string, KubeObject>();
  for (
    const pod of await client.list(TYPES.Pod, MESH_NAMESPACE, {
      labelSelector: `app.kubernetes.io/component=${AGENT}`,
    })
  ) {
    const { nodeName = "" } = (pod["spec"] ?? {}) as { nodeName?: string }; // the API's schema
    if (pod.metadata["deletionTimestamp"] === undefined) agents.set(nodeName, pod);
  }
  const missing = nodes.filter((node) => !agents.has(node));
  const reasons = new Map<string, string>();
  const silent: string[] = [];
  for (const [node, pod] of agents) {
    if (isReady(pod)) continue;
    const reason = await troubleOf(client, pod);
    if (reason === null) silent.push(node);
    else reasons.set(node, reason);
  }
  const waits = "new meshed pods of those nodes wait";
  if (missing.length > 0) {
    section.fail(
      CHECK,
      `there is no agent on ${some(missing)}: ${waits}`,
      `does the DaemonSet's nodeSelector leave them out? kubectl -n ${MESH_NAMESPACE} describe daemonset/${AGENT}`,
    );
  }
  if (silent.length > 0) {
    section.fail(
      CHECK,
      `the agent on ${some(silent)} does not run: ${waits}`,
      `kubectl -n ${MESH_NAMESPACE} describe pods -l app.kubernetes.io/component=${AGENT}`,
    );
  }
  if (missing.length + silent.length === 0) section.ok(CHECK, `${nodes.length} of ${nodes.length}`);
  for (const [node, reason] of reasons) {
    section.fail(
      CHAINED,
      `on ${node} it is not: ${reason}`,
      "does the node's own network run? kubectl describe node " + node,
    );
  }
  if (reasons.size === 0) section.ok(CHAINED);
}

/** What an agent that is not ready says; "starting" is its first word. @returns null when it does not answer */
async function troubleOf(client: KubeClient, pod: KubeObject): Promise<string | null> {
  try {
    const path = `/api/v1/namespaces/${MESH_NAMESPACE}/pods/${pod.metadata.name}:${AGENT_ADMIN_PORT}/proxy/ready`;
    await client.text(path);
    return "it has become ready this moment";
  } catch (error) {
    // The agent's own words, handed through by the API server, which gives no answer of its own but "cannot dial".
    const isAgents = error instanceof ApiError && error.status === 503 && error.reason === "";
    return isAgents ? errorText(error).replace(/^.*503: /, "").trim() : null;
  }
}

function some(nodes: readonly string[]): string {
  const names = nodes.slice(0, MAX_NAMES).join(", ");
  return nodes.length > MAX_NAMES ? `${names} and ${nodes.length - MAX_NAMES} more` : names;
}
