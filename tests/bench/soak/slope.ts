/** Whether something grows: the slope of a noisy series. */

/** Points beyond this are thinned out: the number of pairs is its square. */
const MAX_POINTS = 1_000;

/**
 * Theil–Sen estimate: the median of the slopes of all pairs of points. Unlike least squares it is not moved by the saw teeth of
 * a collector, or by a burst.
 *
 * @param points x (ascending) and y
 * @returns y per x; NaN for fewer than two different x
 */
export function theilSen(points: readonly (readonly [number, number])[]): number {
  const step = Math.ceil(points.length / MAX_POINTS);
  const kept = step <= 1 ? points : points.filter((_, index) => index % step === 0);
  const slopes: number[] = [];
  for (const [index, [x, y]] of kept.entries()) {
    for (const [laterX, laterY] of kept.slice(index + 1)) {
      if (laterX > x) slopes.push((laterY - y) / (laterX - x));
    }
  }
  slopes.sort((a, b) => a - b);
  const middle = slopes.length >> 1;
  const upper = slopes[middle] ?? NaN;
  return slopes.length % 2 === 1 ? upper : ((slopes[middle - 1] ?? NaN) + upper) / 2;
}
