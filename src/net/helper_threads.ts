/**
 * Has the runtime's helper threads step back for the event loop.
 *
 * The compiler works for a second or so of the first requests, in pieces of some milliseconds, on threads with the same claim
 * to the CPU as the loop. Where a sidecar has one core to itself, or less, a request that comes meanwhile waits until the
 * scheduler takes turns (measured: most of a young proxy's slow turns). With a higher nice value the loop goes first as soon
 * as it has something to do, and the compiler works in between.
 *
 * A loop that has no pauses is another matter: its requests queue for each other, and soonest end with compiled code. There
 * the threads keep what they have, for a nice value cannot be lowered again without privilege.
 */
import { listFolder, readText } from "../os/files.ts";
import { libc } from "./_libc.ts";

/** Above the loop's own nice value: a tenth of its weight (sched(7)). Not SCHED_IDLE: the collector waits for the compiler to pause. */
export const NICE_ABOVE = 10;
/** Between two looks, ms: a compiler's thread lives for 10 s after its last work, a look takes some 10 µs. */
export const LOOK_MS = 50;
/** Share of the time above which a loop that runs, or waits for the CPU, has no pauses. */
const BUSY_SHARE = 0.7;
/** Threads that do nothing a request waits for, by the names that the kernel has: JSC's compilers, and what returns pages. */
const HELPERS: ReadonlySet<string> = new Set(["JITWorker", "mi-scavenger"]);

const TASKS = "/proc/self/task";
const PRIO_PROCESS = 0;
const NS_PER_MS = 1e6;

/** "new": has another name, as a helper has for a moment after its start; "helper": shall step back. */
type State = "new" | "helper" | "done";

/** Threads at the last look. */
let states = new Map<string, State>();
/** How long this thread has wanted the CPU, at the last look that found a thread which shall step back. */
let sample: { readonly atMs: number; readonly wantedMs: number } | null = null;
let nextMs = 0;

/** Looks for new helper threads, at most every `LOOK_MS`. Does nothing where /proc cannot be read. @param nowMs monotonic */
export function slowHelpers(nowMs: number): void {
  if (nowMs < nextMs) return;
  nextMs = nowMs + LOOK_MS;
  try {
    look(nowMs);
  } catch {
    // No descriptor is left, say: nothing depends on it.
  }
}

function look(nowMs: number): void {
  const found = new Map<string, State>();
  let waiting = 0;
  for (const thread of listFolder(TASKS)) {
    const state = stateOf(thread, states.get(thread));
    found.set(thread, state);
    if (state === "helper") waiting++;
  }
  states = found;
  if (waiting === 0) sample = null;
  else if (hasPauses(nowMs)) stepBack();
}

function stateOf(thread: string, before: State | undefined): State {
  if (before === "helper" || before === "done") return before;
  return isHelper(thread) ? "helper" : before === undefined ? "new" : "done";
}

function isHelper(thread: string): boolean {
  try {
    return HELPERS.has(readText(`${TASKS}/${thread}/comm`).trimEnd());
  } catch {
    return false; // it has ended
  }
}

/** Whether this thread has had pauses since the look before; false when there was none. */
function hasPauses(nowMs: number): boolean {
  // Nanoseconds that it ran, and that it waited for the CPU.
  const [ran, waited] = readText("/proc/thread-self/schedstat").split(" ", 2);
  const wantedMs = (Number(ran) + Number(waited)) / NS_PER_MS;
  const before = sample;
  sample = { atMs: nowMs, wantedMs };
  return before !== null && wantedMs - before.wantedMs < (nowMs - before.atMs) * BUSY_SHARE;
}

function stepBack(): void {
  const nice = libc.getpriority(PRIO_PROCESS, 0) + NICE_ABOVE; // the kernel takes what is above 19 for 19
  for (const [thread, state] of states) {
    if (state !== "helper") continue;
    libc.setpriority(PRIO_PROCESS, Number(thread), nice);
    states.set(thread, "done");
  }
}
