/** Quantiles of a cumulative histogram, as Prometheus' histogram_quantile computes them. */

/** Bucket bounds in ascending order, the last one Infinity, with cumulative counts. */
export interface Histogram {
  readonly bounds: readonly number[];
  readonly counts: readonly number[];
}

/** Adds up histograms by bound. @param buckets bound → count, cumulative */
export function histogramOf(buckets: ReadonlyMap<number, number>): Histogram {
  const bounds = [...buckets.keys()].sort((a, b) => a - b);
  return { bounds, counts: bounds.map((bound) => buckets.get(bound) ?? 0) };
}

/**
 * Value below which a share of the observations lies, by linear interpolation inside its bucket.
 *
 * @param share 0–1
 * @returns null without observations; the last finite bound when the value lies beyond it
 */
export function quantile(histogram: Histogram, share: number): number | null {
  const { bounds, counts } = histogram;
  const total = counts.at(-1) ?? 0;
  if (total <= 0) return null;
  const rank = share * total;
  const index = counts.findIndex((count) => count >= rank);
  const upper = bounds[index] ?? Infinity;
  const lower = index > 0 ? bounds[index - 1] ?? 0 : 0;
  if (upper === Infinity) return lower;
  const before = index > 0 ? counts[index - 1] ?? 0 : 0;
  const inside = (counts[index] ?? 0) - before;
  return inside <= 0 ? upper : lower + (upper - lower) * ((rank - before) / inside);
}
