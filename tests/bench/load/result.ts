/** What one run of a load generator yields. */
export interface LoadResult extends Latency {
  /** Requests, messages, round trips, connections or bytes completed in the measured time. */
  readonly count: number;
  readonly seconds: number;
  readonly failed: number;
}

/** NaN and an empty curve when the load has no latency (bulk transfer). */
export interface Latency {
  readonly p50Us: number;
  readonly p99Us: number;
  readonly p999Us: number;
  /** At SHARES, microseconds. */
  readonly curveUs: readonly number[];
}

/** Points of a latency curve: shares of requests that were at least so fast. */
export const SHARES: readonly number[] = [0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999];

export const NO_LATENCY: Latency = { p50Us: NaN, p99Us: NaN, p999Us: NaN, curveUs: [] };

/** Called when the measured time begins and ends, to read CPU times of the proxies. */
export interface Marks {
  begin(): void;
  end(): void;
}

/** @param values microseconds, sorted here */
export function latencyOf(values: Float64Array): Latency {
  if (values.length === 0) return NO_LATENCY;
  values.sort();
  return {
    p50Us: percentile(values, 0.5),
    p99Us: percentile(values, 0.99),
    p999Us: percentile(values, 0.999),
    curveUs: SHARES.map((share) => Math.round(percentile(values, share))),
  };
}

/** The value below which the given share of a sorted list lies; NaN for an empty list. */
export function percentile(sorted: Float64Array, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}

/** NaN of none; what is not a number does not count. */
export function median(values: readonly number[]): number {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b);
  if (sorted.length === 0) return NaN;
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] ?? NaN : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}
