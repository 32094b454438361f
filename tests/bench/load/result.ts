/** What one run of a load generator yields. */
export interface LoadResult {
  /** Requests, round trips or bytes completed in the measured time. */
  readonly count: number;
  readonly seconds: number;
  readonly failed: number;
  /** NaN when the load has no latency (bulk transfer). */
  readonly p50Us: number;
  readonly p99Us: number;
}

/** Called when the measured time begins and ends, to read CPU times of the proxies. */
export interface Marks {
  begin(): void;
  end(): void;
}

/** The value below which the given share of a sorted list lies; NaN for an empty list. */
export function percentile(sorted: Float64Array, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}

export function median(values: readonly number[]): number {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b);
  if (sorted.length === 0) return NaN;
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] ?? NaN : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}
