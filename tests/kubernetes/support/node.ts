/** What is done to a node of the test bed from outside. */
import type { Cluster } from "./cluster.ts";

const CHAIN = "/etc/cni/net.d/10-bridge.conflist";

/** The node's network configuration as its owner writes it: without our plugin. */
export async function configurationWithout(cluster: Cluster, node: string): Promise<string> {
  const { plugins, ...rest } = JSON.parse(await cluster.enter(node, ["cat", CHAIN])) as { plugins: { type: string }[] };
  return JSON.stringify({ ...rest, plugins: plugins.filter(({ type }) => type !== "tulle-cni") });
}

export async function writeConfiguration(cluster: Cluster, node: string, text: string): Promise<void> {
  await cluster.enter(node, ["sh", "-c", `echo '${text}' > ${CHAIN}`]);
}

export async function configuration(cluster: Cluster, node: string): Promise<string> {
  return await cluster.enter(node, ["cat", CHAIN]);
}

/**
 * Ends all of a node at once, as a reset does: every container, its shim, the runtime, the kubelet. Processes are those of the
 * node's own PID namespace. The test bed starts runtime and kubelet again, and they the pods, in new sandboxes.
 */
export async function resetNode(cluster: Cluster, node: string): Promise<void> {
  await endProcesses(cluster, node, "kubepods|containerd|kubelet");
}

/** Ends the sandboxes of a pod: the kubelet makes it a new one, with a new network namespace. */
export async function endSandbox(cluster: Cluster, node: string, uid: string): Promise<void> {
  await endProcesses(cluster, node, `pod${uid}`);
}

/** @param pattern of a process's cgroup or name, for grep -E */
async function endProcesses(cluster: Cluster, node: string, pattern: string): Promise<void> {
  const script = `for p in /proc/[0-9]*; do pid=\${p#/proc/}; [ $pid = 1 ] || [ $pid = $$ ] && continue; ` +
    `if cat $p/cgroup $p/comm 2>/dev/null | grep -qE '${pattern}'; then echo $pid; fi; done | xargs -r kill -9 2>/dev/null || true`;
  await cluster.enter(node, ["sh", "-c", script]);
}
