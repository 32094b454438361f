/**
 * A rate as one number: the generic cell rate algorithm (GCRA). Each admitted request moves the theoretical time of the next
 * one on by an interval; a request may come as long as that time is not further ahead than a burst has room for. In any span
 * of t seconds no more than burst + rate × t are admitted.
 */
import type { Rate } from "../../model/rate_limit.ts";

/** What a rate means for a bucket, milliseconds. */
export interface Pace {
  /** Between two requests, in the long run. */
  readonly intervalMs: number;
  /** How far ahead of the clock requests may have gone. */
  readonly aheadMs: number;
}

/** @param threads among which the rate is divided; each has its part of it, and may always admit one */
export function paceOf({ requestsPerSecond, burst }: Rate, threads: number): Pace {
  const intervalMs = (1000 * threads) / requestsPerSecond;
  return { intervalMs, aheadMs: (Math.max(1, burst / threads) - 1) * intervalMs };
}

export class Bucket {
  /** Theoretical time of the next request, on the caller's clock. */
  #nextMs = -Infinity;

  /** Milliseconds until a request may come; 0: now. */
  waitMs(pace: Pace, nowMs: number): number {
    return Math.max(0, this.#nextMs - pace.aheadMs - nowMs);
  }

  /** A request was let in. */
  take(pace: Pace, nowMs: number): void {
    this.#nextMs = Math.max(this.#nextMs, nowMs) + pace.intervalMs;
  }

  /** It has nothing to remember: a new one would say the same. */
  isFull(nowMs: number): boolean {
    return this.#nextMs <= nowMs;
  }
}
