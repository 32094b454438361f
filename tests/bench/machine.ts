/** Makes the run less of a victim of others on the machine, as far as it may, and describes the machine's state. */
import { readFileSync, writeFileSync } from "node:fs";
import { loadavg } from "node:os";
import { LOAD_CORE } from "./rig.ts";

/** Load average from which a run is called noisy in advance. */
export const BUSY_LOAD = 0.7;

const AUTOGROUP = "/proc/self/autogroup";
/** Nice value for the session; -20 would take all from the rest of the machine. */
const PRIORITY = -15;

/** What quietDown() did; disposing takes back what would outlast the run. */
export interface Quiet extends Disposable {
  /** What could not be done. */
  readonly problems: readonly string[];
}

/**
 * Pins this process, and with it all that does not say otherwise, to the load's core, so that it never takes time from the
 * proxies; and raises the priority of its session, since `nice` says nothing across sessions (sched_autogroup).
 */
export function quietDown(): Quiet {
  const problems: string[] = [];
  const pin = Bun.spawnSync(["taskset", "-apc", String(LOAD_CORE), String(process.pid)]);
  if (pin.exitCode !== 0) problems.push("this process could not be pinned to a core");
  const before = niceOf(readOrEmpty(AUTOGROUP));
  const isRaised = before !== null && write(AUTOGROUP, PRIORITY);
  if (before !== null && !isRaised) {
    problems.push("no right to raise the priority of this session (sched_autogroup): other sessions take their share");
  }
  return {
    problems,
    [Symbol.dispose]() {
      if (isRaised) write(AUTOGROUP, before);
    },
  };
}

/** The nice value in /proc/PID/autogroup (sched(7)), "/autogroup-17 nice -15"; null where there are no autogroups. */
export function niceOf(text: string): number | null {
  const found = /nice (-?\d+)/.exec(text)?.[1];
  return found === undefined ? null : Number(found);
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // this kernel has none
  }
}

function write(path: string, value: number): boolean {
  try {
    writeFileSync(path, String(value));
    return true;
  } catch {
    return false;
  }
}

/** Load average of the last minute. */
export function loadAverage(): number {
  return Number((loadavg()[0] ?? 0).toFixed(2));
}
