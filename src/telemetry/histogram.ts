/** Buckets of histograms. A histogram occupies one number per bound, one for +Inf and one for the sum. */

/** Bounds of `response_latency_ms` as Linkerd has them, so that its dashboards and recording rules apply. */
export const LATENCY_MS_BOUNDS: readonly number[] = [1, 10, 100, 1000, 10_000].flatMap((decade) =>
  [1, 2, 3, 4, 5].map((step) => step * decade)
);

/** Index of the bucket for a value: the first whose bound is not below it; `bounds.length` for +Inf. @param bounds ascending */
export function bucketIndex(bounds: readonly number[], value: number): number {
  let low = 0;
  let high = bounds.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((bounds[middle] as number) < value) low = middle + 1; // middle is below bounds.length
    else high = middle;
  }
  return low;
}
