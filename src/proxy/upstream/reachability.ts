/**
 * Whether an endpoint can be reached at all. One that refuses connections is left alone for a while, longer each time, so
 * that requests go to others at once instead of finding out one by one; what comes after that finds out for all.
 */
import { type BackoffLimits, backoffMs } from "../../model/backoff.ts";
import type { Failure } from "./failure.ts";

/** The first is shorter than any restart; the last bounds how long an endpoint that is back may stay without requests. */
const UNREACHED: BackoffLimits = { firstMs: 100, maxMs: 5_000 };

export class Reachability {
  /** Why it could not be reached; null while it can. */
  failure: Failure | null = null;
  #failures = 0;
  #untilMs = 0;

  /** May it be asked now? */
  admits(nowMs: number): boolean {
    return this.#failures === 0 || nowMs >= this.#untilMs;
  }

  /** It could not be reached. @param random in [0, 1) */
  onUnreached(failure: Failure, nowMs: number, random: number): void {
    if (!this.admits(nowMs)) return; // one outage, many requests
    this.failure = failure;
    this.#untilMs = nowMs + backoffMs(UNREACHED, ++this.#failures, random);
  }

  /** It has answered. */
  onReached(): void {
    this.#failures = 0;
    this.failure = null;
  }
}
