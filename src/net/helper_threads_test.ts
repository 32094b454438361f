import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { eventually } from "../../tests/support/eventually.ts";
import { LOOK_MS, NICE_ABOVE, slowHelpers } from "./helper_threads.ts";

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

const own = Number(readFileSync("/proc/self/stat", "utf8").split(") ")[1]?.split(" ")[16]);
let nowMs = 0;

/** Keeps this thread busy. */
function spin(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until) work();
}

function compilers(): number[] {
  return threads().filter(({ name }) => name === "JITWorker").map(({ nice }) => nice);
}

test("a loop without pauses leaves the compilers their share", async () => {
  await eventually(() => {
    spin(LOOK_MS);
    expect(compilers().length).toBeGreaterThan(0);
  });
  for (let i = 0; i < 4; i++) {
    slowHelpers(nowMs += LOOK_MS);
    spin(LOOK_MS);
  }
  expect(new Set(compilers())).toEqual(new Set([own]));
});

test("compilers step back for a loop with pauses, and nothing else does", async () => {
  await eventually(() => {
    spin(1);
    slowHelpers(nowMs += 1000);
    expect(new Set(compilers())).toEqual(new Set([Math.min(MAX_NICE, own + NICE_ABOVE)]));
  });
  expect(threads().filter(({ name, nice }) => !HELPERS.includes(name) && nice !== own)).toEqual([]);
});
