/** Finds the network namespace of a running pod through its processes, whatever the runtime. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/**
 * @param uid of the pod, which stands in the cgroup path of each of its processes
 * @param proc the node's /proc
 * @returns path of the namespace, or null when no process of the pod runs or none is in another namespace than the node
 */
export function findPodNamespace(uid: string, proc = "/proc"): string | null {
  const forms = [uid, uid.replaceAll("-", "_")]; // the systemd driver writes underscores
  const own = readlinkSync(`${proc}/self/ns/net`);
  for (const name of readdirSync(proc)) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const cgroup = readFileSync(`${proc}/${name}/cgroup`, "utf8");
      if (!forms.some((form) => cgroup.includes(form))) continue;
      const path = `${proc}/${name}/ns/net`;
      if (readlinkSync(path) !== own) return path;
    } catch {
      // The process is gone.
    }
  }
  return null;
}
