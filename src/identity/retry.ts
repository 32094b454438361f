/** When a certificate is asked for again after a failure. */
import { type BackoffLimits, backoffMs } from "../model/backoff.ts";

/** Quick at first: at the start every connection waits for this. */
const CERTIFY_BACKOFF: BackoffLimits = { firstMs: 250, maxMs: 30_000 };
/**
 * Longest wait, as a share of the life that the certificate in force has left: a controller that was away may be back for its
 * last tenth only. It bounds the waits in the last five minutes; before, the backoff does.
 */
const RETRY_SHARE = 0.1;

/**
 * @param failures in a row, at least 1
 * @param leftMs life of the certificate in force; 0 or less when there is none, and nothing to be in time for
 * @param random in [0, 1)
 * @returns milliseconds
 */
export function retryDelayMs(failures: number, leftMs: number, random: number): number {
  const { firstMs, maxMs } = CERTIFY_BACKOFF;
  if (leftMs <= 0) return backoffMs(CERTIFY_BACKOFF, failures, random);
  return backoffMs({ firstMs, maxMs: Math.max(firstMs, Math.min(maxMs, leftMs * RETRY_SHARE)) }, failures, random);
}
