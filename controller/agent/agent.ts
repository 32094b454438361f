/** `tulle agent`: one per node. Installs the plugin, answers it, repairs pods, and goes without leaving anything. */
import type { Logger } from "../../src/base/log.ts";
import { errorText } from "../../src/base/error.ts";
import { VERSION } from "../../src/base/version.ts";
import { ApiError } from "../api/api_error.ts";
import { KubeClient, type KubeObject } from "../api/client.ts";
import { chooseTarget } from "../api/kube_target.ts";
import { ListWatch } from "../api/list_watch.ts";
import { TYPES } from "../api/resource_type.ts";
import { AGENT, MESH_NAMESPACE } from "../core/cluster_names.ts";
import { serviceLog } from "../core/log_lines.ts";
import { Registry } from "../core/metrics.ts";
import { type PodKey, serveAgentSocket } from "./agent_socket.ts";
import { serveAgentAdmin } from "./agent_admin.ts";
import { ConfigFolder } from "./config_folder.ts";
import { installPlugin, removePlugin } from "./install.ts";
import { NodePods } from "./node_pods.ts";
import { type CaptureAnswer, captureOf, type NodePod } from "./pod_capture.ts";

/** What the command line said. */
export interface AgentSettings {
  readonly node: string;
  readonly cniBinDir: string;
  readonly cniConfDir: string;
  readonly socket: string;
  readonly admin: { readonly host: string; readonly port: number };
  readonly kubeconfig: string | null;
  readonly context: string | null;
  readonly logLevel: "debug" | "info" | "warn" | "error";
}

/** Runs until SIGTERM or SIGINT. @throws Error that names the remedy when the plugin cannot be installed */
export async function runAgent(settings: AgentSettings): Promise<void> {
  const log = serviceLog(settings.logLevel);
  const client = new KubeClient(
    chooseTarget({ file: settings.kubeconfig, context: settings.context }, process.env),
  );
  const registry = new Registry();
  const chained = registry.gauge("cni_chained", "1 while the plugin is in the node's network configuration.");
  if (await installPlugin(settings.cniBinDir, process.execPath)) {
    log.info("the plugin is installed", { folder: settings.cniBinDir, version: VERSION });
  }
  const pods = new NodePods({ client, log, registry });
  const watch = followPods(client, settings.node, pods, log);
  const socket = serveAgentSocket(settings.socket, (key) => answerPlugin(key, pods, client));
  let trouble = "starting";
  const folder = new ConfigFolder({
    folder: settings.cniConfDir,
    entry: { socket: settings.socket },
    onChained: (file) => log.info("the plugin is in the chain", { file }),
    onState: (now) => {
      trouble = now;
      chained.set(now === "" ? 1 : 0);
      if (now !== "") log.warn("the plugin is not in the chain", { reason: now });
    },
  });
  folder.start();
  const admin = serveAgentAdmin({ ...settings.admin, registry, trouble: () => trouble });
  pods.start();
  await new Promise<void>((resolve) => {
    process.once("SIGTERM", resolve);
    process.once("SIGINT", resolve);
  });
  folder.close();
  pods.close();
  watch.close();
  if (await isUninstalled(client, log)) {
    folder.remove();
    removePlugin(settings.cniBinDir);
    log.info("the plugin is taken out of the chain and removed");
  }
  socket.stop();
  admin.stop();
}

function followPods(client: KubeClient, node: string, pods: NodePods, log: Logger): ListWatch {
  const watch = new ListWatch({
    client,
    type: TYPES.Pod,
    namespace: null,
    query: { fieldSelector: `spec.nodeName=${node}` },
    random: Math.random,
    listener: {
      onList: (objects) => pods.replace(objects.map(asPod)),
      onChange: (object) => pods.set(asPod(object)),
      onRemove: (object) => pods.remove(asPod(object)),
      onTrouble: (detail) => {
        if (detail !== null) log.warn("cannot follow the node's pods; trying again", { detail });
      },
    },
  });
  watch.start();
  return watch;
}

/** The pod as it is known; a pod that was scheduled a moment ago is looked up. */
async function answerPlugin(key: PodKey, pods: NodePods, client: KubeClient): Promise<CaptureAnswer | null> {
  const known = pods.get(key);
  if (known !== null) return captureOf(known);
  const found = await client.find(TYPES.Pod, key.namespace, key.name);
  if (found === null || (key.uid !== "" && found.metadata.uid !== key.uid)) return null;
  return captureOf(asPod(found));
}

/**
 * Whether the agent goes for good, rather than for a new version of it: then its DaemonSet or its namespace is gone or going
 * (a namespace takes its objects with it in any order). When even our rights are gone, so is the mesh. Whatever else: leave
 * the plugin, since it harms nobody.
 */
async function isUninstalled(client: KubeClient, log: Logger): Promise<boolean> {
  try {
    const daemonSet = await client.find(TYPES.DaemonSet, MESH_NAMESPACE, AGENT);
    const namespace = await client.find(TYPES.Namespace, null, MESH_NAMESPACE);
    return [daemonSet, namespace].some((object) =>
      object === null || object.metadata["deletionTimestamp"] !== undefined
    );
  } catch (error) {
    if (error instanceof ApiError && (error.status === 401 || error.status === 403)) return true;
    log.warn("cannot see whether the mesh is uninstalled; the plugin stays", { reason: errorText(error) });
    return false;
  }
}

function asPod(object: KubeObject): NodePod {
  return object as NodePod; // by the API's schema
}
