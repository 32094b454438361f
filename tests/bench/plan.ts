/** How long a run takes, said before it begins and while it runs. */
import { type Case, protocolOf } from "./cases.ts";
import { type BenchOptions, prepareMsOf, proxiesOf, timesOf } from "./options.ts";

/** What a run costs besides its measured time: the generator starts, connects and reports. Milliseconds. */
const RUN_OVERHEAD_MS = 450;
/** Starting one proxy, or a pair and its controller. */
const START_MS = 900;

/** Planned time of each case, in order; the first of a group pays for the start of its proxies. */
export function plannedMs(options: BenchOptions, cases: readonly Case[]): number[] {
  const groups = new Set<string>();
  const prepared = new Set<string>();
  return cases.map((item) => {
    const subjects = proxiesOf(options, item);
    const times = timesOf(item.load, options, item.group);
    const isIdle = item.load.kind === "idle"; // the wait is for all together
    let ms = subjects.length * times.rounds * ((isIdle ? 0 : times.warmMs) + times.runMs + RUN_OVERHEAD_MS);
    if (isIdle) ms += times.warmMs;
    const protocol = protocolOf(item.load);
    const key = `${item.group} ${protocol}`;
    if (!groups.has(item.group)) ms += subjects.length * START_MS;
    if (item.group !== "memory" && !prepared.has(key)) ms += subjects.length * prepareMsOf(protocol, options.quick);
    groups.add(item.group);
    prepared.add(key);
    return ms;
  });
}

/**
 * Time that is left: what was planned for the rest, stretched by how much longer the steps so far have taken than planned.
 *
 * @param plannedMs of each step, in order
 * @param done steps that are over
 * @param elapsedMs time these took
 */
export function remainingMs(plannedMs: readonly number[], done: number, elapsedMs: number): number {
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  const past = sum(plannedMs.slice(0, done));
  const rest = sum(plannedMs.slice(done));
  return past > 0 ? rest * Math.max(0.5, elapsedMs / past) : rest;
}

/** "40 s", "12 min" */
export function durationText(ms: number): string {
  const seconds = Math.round(ms / 1000);
  return seconds < 100 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
}
