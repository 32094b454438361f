/** What Tulle is to reach in each case, and whether it does. */
import type { Case } from "../cases.ts";
import type { Row } from "../rows.ts";

/** The figure of a row that decides. Less is better in all of them. */
export type Metric = "cpuUs" | "p50Us" | "p99Us";

export const METRIC_NAMES: Readonly<Record<Metric, string>> = { cpuUs: "CPU", p50Us: "p50", p99Us: "p99" };

/** met; close: missed, but the rounds of the two overlap; missed. */
export type Verdict = "met" | "close" | "missed";

export interface Comparison {
  readonly case: string;
  readonly peer: string;
  readonly metric: Metric;
  /** Tulle's figure divided by the peer's. */
  readonly ratio: number;
  /** The largest ratio that is good. */
  readonly goal: number;
  readonly verdict: Verdict;
  /** Ratio of the 99th percentiles; NaN when the load has none. */
  readonly p99Ratio: number;
}

/** What decides in a case; null: it is about memory or the start, which have bounds of their own. */
export function metricOf(item: Case): Metric | null {
  switch (item.load.kind) {
    case "idle":
    case "held":
    case "ready":
      return null;
    case "open":
      return item.group === "memory" ? null : "p99Us";
    case "http":
      return item.load.clients === 1 ? "p50Us" : "cpuUs";
    default:
      return "cpuUs";
  }
}

/** As little as the others need; 10 % more in the latency of a single client. */
export function goalOf(metric: Metric): number {
  return metric === "p50Us" ? 1.1 : 1;
}

/** Tulle against each peer of a case; empty where either was not measured, or nothing is to be compared. */
export function compare(item: Case, rows: readonly Row[]): Comparison[] {
  const metric = metricOf(item);
  if (metric === null) return [];
  const found: Comparison[] = [];
  for (const row of rows) {
    if (row.case !== item.name || row.proxy === "direct" || row.proxy.startsWith("tulle")) continue;
    if (item.group === "workers" && !row.proxy.endsWith("-w2")) continue; // one worker has cases of its own
    const tulle = rows.find((each) => each.case === item.name && each.proxy === counterpart(row.proxy));
    if (tulle === undefined) continue;
    const ratio = tulle[metric] / row[metric];
    if (!Number.isFinite(ratio)) continue;
    const goal = goalOf(metric);
    const overlaps = tulle.spread[metric][0] <= goal * row.spread[metric][1];
    const verdict = ratio <= goal ? "met" : overlaps ? "close" : "missed";
    found.push({ case: item.name, peer: row.proxy, metric, ratio, goal, verdict, p99Ratio: tulle.p99Us / row.p99Us });
  }
  return found;
}

/** The tulle that a proxy is compared with: with two workers, the one with two. */
export function counterpart(proxy: string): string {
  return proxy.endsWith("-w2") ? "tulle-w2" : "tulle";
}

/** A bound on one figure of Tulle itself. */
export interface Bound {
  readonly name: string;
  readonly value: number;
  readonly bound: number;
  readonly unit: "MB" | "ms";
  readonly isMet: boolean;
}

const BOUNDS: readonly {
  readonly case: string;
  readonly name: string;
  readonly bound: number;
  readonly unit: "MB" | "ms";
  readonly read: (row: Row) => number;
}[] = [
  { case: "idle", name: "RSS, idle", bound: 36, unit: "MB", read: (row) => row.rssMb },
  { case: "idle", name: "private memory, idle", bound: 4, unit: "MB", read: (row) => row.anonMb },
  { case: "pair-h1-1000rps", name: "RSS after 1,000 rps", bound: 52, unit: "MB", read: (row) => row.rssMb },
  { case: "pair-h1-1000rps", name: "private memory after 1,000 rps", bound: 12, unit: "MB", read: (row) => row.anonMb },
  { case: "pair-idle-10000", name: "RSS, 10,000 idle connections", bound: 150, unit: "MB", read: (row) => row.rssMb },
  { case: "ready", name: "ready after exec", bound: 150, unit: "ms", read: (row) => row.p50Us / 1000 },
];

/** The bounds on memory and start of those cases that were measured. */
export function boundsOf(rows: readonly Row[]): Bound[] {
  return BOUNDS.flatMap(({ case: name, name: label, bound, unit, read }) => {
    const row = rows.find((each) => each.case === name && each.proxy === "tulle");
    if (row === undefined) return [];
    const value = read(row);
    return [{ name: label, value, bound, unit, isMet: value <= bound }];
  });
}

/** Geometric mean; NaN of none. */
export function geometricMean(values: readonly number[]): number {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}
