/** What an uninstall or an upgrade leaves to the user: the workloads whose pods carry a sidecar, and how to restart them. */
import type { MeshedPod } from "./cluster_targets.ts";

/** Kinds that `kubectl rollout restart` knows. */
const RESTARTABLE = ["Deployment", "StatefulSet", "DaemonSet"];

/** @returns commands, one for each namespace; then what must be made again by hand */
export function restartLines(pods: readonly MeshedPod[]): string[] {
  const byNamespace = Map.groupBy(pods, ({ namespace }) => namespace);
  const lines: string[] = [];
  const byHand = new Set<string>();
  for (const [namespace, members] of [...byNamespace].sort(([a], [b]) => a < b ? -1 : 1)) {
    const names = new Set<string>();
    for (const { kind, workload } of members) {
      if (RESTARTABLE.includes(kind)) names.add(`${kind.toLowerCase()}/${workload}`);
      else if (kind !== "CronJob") byHand.add(`${kind.toLowerCase()}/${workload} of ${namespace}`); // its next Job is new
    }
    if (names.size > 0) lines.push(`kubectl -n ${namespace} rollout restart ${[...names].sort().join(" ")}`);
  }
  if (byHand.size > 0) lines.push(`# delete and make again: ${[...byHand].sort().join(", ")}`);
  return lines;
}
