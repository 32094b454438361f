/** How much memory the kernel lets this process have, by its control group: beyond it the process is ended. */
import { readText } from "./files.ts";

/** Where both versions of the interface are mounted, in containers as well. */
const ROOT = "/sys/fs/cgroup";

/** @param read text of a file; throws when there is none @returns bytes; Infinity when there is no limit, or none can be seen */
export function memoryLimit(read: (path: string) => string = readText): number {
  let least = Infinity;
  for (const path of limitFiles(textOf(read, "/proc/self/cgroup"))) {
    const text = textOf(read, path).trim();
    if (/^\d+$/.test(text)) least = Math.min(least, Number(text)); // "max": none; version 1 has a number above 2⁶² for it
  }
  return least < 2 ** 62 ? least : Infinity;
}

/**
 * Files that may hold a limit: of the group and of those above it. A container sees its group as the root of the mount,
 * whatever the path says.
 *
 * @param groups contents of /proc/self/cgroup
 */
export function limitFiles(groups: string): string[] {
  const files: string[] = [];
  for (const line of groups.split("\n")) {
    const [number, controllers = "", ...rest] = line.split(":");
    const isUnified = number === "0" && controllers === "";
    if (!isUnified && !controllers.split(",").includes("memory")) continue;
    const folder = isUnified ? ROOT : `${ROOT}/memory`;
    const file = isUnified ? "memory.max" : "memory.limit_in_bytes";
    let path = rest.join(":").replace(/\/+$/, "");
    for (;;) {
      if (!path.includes("/..")) files.push(`${folder}${path}/${file}`);
      if (path === "") break;
      path = path.slice(0, path.lastIndexOf("/"));
    }
  }
  return files;
}

function textOf(read: (path: string) => string, path: string): string {
  try {
    return read(path);
  } catch {
    return "";
  }
}
