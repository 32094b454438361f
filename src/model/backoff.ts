/** Delays between tries of something that failed: doubling, with full jitter, so that many proxies do not come at once. */

/** First and longest delay. */
export interface BackoffLimits {
  readonly firstMs: number;
  readonly maxMs: number;
}

/**
 * @param failures tries that failed in a row, at least 1
 * @param random in [0, 1)
 * @returns milliseconds, between half of the step and the step
 */
export function backoffMs(limits: BackoffLimits, failures: number, random: number): number {
  const step = Math.min(limits.maxMs, limits.firstMs * 2 ** Math.min(30, failures - 1));
  return Math.round(step / 2 + (step / 2) * random);
}
