/** Makes the run less of a victim of others on the machine, as far as it may, and describes the machine's state. */
import { writeFileSync } from "node:fs";
import { loadavg } from "node:os";
import { LOAD_CORE } from "./rig.ts";

/** Load average from which a run is called noisy in advance. */
export const BUSY_LOAD = 0.7;

/**
 * Pins this process, and with it all that does not say otherwise, to the load's core, so that it never takes time from the
 * proxies; and raises the priority of its session, since `nice` says nothing across sessions (sched_autogroup).
 *
 * @returns what could not be done
 */
export function quietDown(): string[] {
  const problems: string[] = [];
  const pin = Bun.spawnSync(["taskset", "-apc", String(LOAD_CORE), String(process.pid)]);
  if (pin.exitCode !== 0) problems.push("this process could not be pinned to a core");
  try {
    writeFileSync("/proc/self/autogroup", "-15");
  } catch {
    problems.push("no right to raise the priority of this session (sched_autogroup): other sessions take their share");
  }
  return problems;
}

/** Load average of the last minute. */
export function loadAverage(): number {
  return Number((loadavg()[0] ?? 0).toFixed(2));
}
