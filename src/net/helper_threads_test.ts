import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { eventually } from "../../tests/support/eventually.ts";
import { NICE_ABOVE, slowHelpers } from "./helper_threads.ts";

const HELPERS = ["JITWorker", "mi-scavenger"];
const MAX_NICE = 19;

/** Nice value of each thread of this process, with its name (proc_pid_stat(5), fields 19 and 2). */
function threads(): { readonly name: string; readonly nice: number }[] {
  return readdirSync("/proc/self/task").flatMap((thread) => {
    try {
      const stat = readFileSync(`/proc/self/task/${thread}/stat`, "utf8");
      const end = stat.lastIndexOf(")");
      return [{ name: stat.slice(stat.indexOf("(") + 1, end), nice: Number(stat.slice(end + 2).split(" ")[16]) }];
    } catch {
      return []; // it has ended meanwhile
    }
  });
}

/** Something to compile. */
function work(): number {
  let sum = 0;
  for (let i = 0; i < 200_000; i++) sum = (sum * 31 + i) | 0;
  return sum;
}

test("compilers step back for the event loop, and nothing else does", async () => {
  const own = Number(readFileSync("/proc/self/stat", "utf8").split(") ")[1]?.split(" ")[16]);
  let nowMs = 0;
  await eventually(() => {
    for (let i = 0; i < 20; i++) work();
    slowHelpers(nowMs += 1000);
    const compilers = threads().filter(({ name }) => name === "JITWorker");
    expect(compilers.length).toBeGreaterThan(0);
    for (const { nice } of compilers) expect(nice).toBe(Math.min(MAX_NICE, own + NICE_ABOVE));
  });
  expect(threads().filter(({ name, nice }) => !HELPERS.includes(name) && nice !== own)).toEqual([]);
});
