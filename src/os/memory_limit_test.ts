import { expect, test } from "bun:test";
import { limitFiles, memoryLimit } from "./memory_limit.ts";

/** Files by path; others do not exist. */
function files(all: Readonly<Record<string, string>>) {
  return (path: string): string => {
    const text = all[path];
    if (text === undefined) throw new Error(`ENOENT ${path}`);
    return text;
  };
}

const V1 = "12:pids:/a\n4:memory:/kubepods/pod1/c1\n0::/\n";

test("limitFiles() lists a group and all above it, for both versions", () => {
  expect(limitFiles("0::/kubepods/pod1\n")).toEqual([
    "/sys/fs/cgroup/kubepods/pod1/memory.max",
    "/sys/fs/cgroup/kubepods/memory.max",
    "/sys/fs/cgroup/memory.max",
  ]);
  expect(limitFiles("3:cpu,memory:/a\n")).toEqual([
    "/sys/fs/cgroup/memory/a/memory.limit_in_bytes",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
  ]);
  expect(limitFiles("")).toEqual([]);
});

test.each([
  [
    "version 2 in a container",
    { "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/memory.max": "134217728\n" },
    134217728,
  ],
  ["version 2 without a limit", { "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/memory.max": "max\n" }, Infinity],
  ["the pod's below the container's", {
    "/proc/self/cgroup": V1,
    "/sys/fs/cgroup/memory/kubepods/pod1/c1/memory.limit_in_bytes": "9223372036854771712\n",
    "/sys/fs/cgroup/memory/kubepods/pod1/memory.limit_in_bytes": "1000\n",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
  }, 1000],
  ["version 1 in a container that sees its host's paths", {
    "/proc/self/cgroup": V1,
    "/sys/fs/cgroup/memory/memory.limit_in_bytes": "5000\n",
  }, 5000],
  ["nothing to be seen", {}, Infinity],
])("memoryLimit() of %s", (_what, given, limit) => {
  expect(memoryLimit(files(given))).toBe(limit);
});

test("memoryLimit() of this process is a number above what it uses", () => {
  expect(memoryLimit()).toBeGreaterThan(process.memoryUsage().rss);
});
