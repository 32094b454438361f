/**
 * Has the runtime's helper threads step back for the event loop.
 *
 * The compiler works for a second or so of the first requests, in pieces of some milliseconds, on threads with the same claim
 * to the CPU as the loop. Where a sidecar has one core to itself, or less, a request that comes meanwhile waits until the
 * scheduler takes turns (measured: nine in ten of a young proxy's slow turns, most above 1 ms). With a higher nice value the
 * loop goes first as soon as it has something to do, and the compiler works in between.
 */
import { listFolder, readText } from "../os/files.ts";
import { libc } from "./_libc.ts";

/**
 * Above the loop's own nice value: a tenth of its weight (sched(7)), which the compiler still gets when the loop never rests.
 * Not the most, nor SCHED_IDLE: the collector waits until the compiler comes to where it can pause.
 */
export const NICE_ABOVE = 10;
/** Between two looks, ms: a compiler's thread lives for 10 s after its last work, a look takes some 10 µs. */
const LOOK_MS = 50;
/** Threads that do nothing a request waits for, by the names that the kernel has: JSC's compilers, and what returns pages. */
const HELPERS: ReadonlySet<string> = new Set(["JITWorker", "mi-scavenger"]);

const TASKS = "/proc/self/task";
const PRIO_PROCESS = 0;

/** Threads that need no more attention. */
let known: string[] = [];
/** Seen once: a new thread has the name of the one that made it for a moment. */
let fresh: string[] = [];
let nextMs = 0;

/** Looks for new helper threads, at most every `LOOK_MS`. Does nothing where /proc cannot be read. @param nowMs monotonic */
export function slowHelpers(nowMs: number): void {
  if (nowMs < nextMs) return;
  nextMs = nowMs + LOOK_MS;
  let threads: string[];
  try {
    threads = listFolder(TASKS);
  } catch {
    return; // no descriptor is left, say; latency is better with it, nothing depends on it
  }
  const stillKnown: string[] = [];
  const newlySeen: string[] = [];
  for (const thread of threads) {
    const isSettled = known.includes(thread) || slowIfHelper(thread) || fresh.includes(thread);
    (isSettled ? stillKnown : newlySeen).push(thread);
  }
  known = stillKnown;
  fresh = newlySeen;
}

/** @returns false when it has, or still has, another name */
function slowIfHelper(thread: string): boolean {
  let name: string;
  try {
    name = readText(`${TASKS}/${thread}/comm`).trimEnd();
  } catch {
    return false; // it has ended
  }
  if (!HELPERS.has(name)) return false;
  const nice = libc.getpriority(PRIO_PROCESS, 0) + NICE_ABOVE; // the kernel takes what is above 19 for 19
  return libc.setpriority(PRIO_PROCESS, Number(thread), nice) === 0;
}
