/**
 * How many requests may be under way to one endpoint. Fixed, or adapting by the latency: it grows by one for each round of
 * requests while answers take no longer than when the endpoint was at its best, and shrinks by a tenth when they take twice
 * as long, fail, or time out (additive increase, multiplicative decrease).
 */
import type { Concurrency } from "../../model/resilience.ts";

/** Answers that take this many times the best latency mean that requests queue in the endpoint. */
const TOLERANCE = 2;
/** … but not below this many milliseconds more: clocks and schedulers have their own noise. */
const NOISE_MS = 5;
const DECREASE = 0.9;
/** The best latency is that of the last one to two such spans: what an endpoint can do changes. */
const MEMORY_MS = 30_000;

export class ConcurrencyLimit {
  readonly policy: Concurrency;
  #limit: number;
  #bestMs = Infinity;
  #formerBestMs = Infinity;
  #spanEndsMs = -1;
  /** Answers to requests that were sent before the last decrease say nothing new until then. */
  #deafUntilMs = -1;

  constructor(policy: Concurrency) {
    this.policy = policy;
    this.#limit = policy.limit;
  }

  /** Requests that may be under way; at least 1. */
  get limit(): number {
    return Math.floor(this.#limit);
  }

  /**
   * An answer has come.
   *
   * @param underWay requests under way when it came, this one included
   */
  onAnswer(latencyMs: number, failed: boolean, underWay: number, nowMs: number): void {
    const { max } = this.policy;
    if (max === 0) return;
    if (failed) return this.onOverload(nowMs);
    this.#remember(latencyMs, nowMs);
    const bestMs = Math.min(this.#bestMs, this.#formerBestMs);
    if (latencyMs > Math.max(bestMs * TOLERANCE, bestMs + NOISE_MS)) return this.#decrease(latencyMs, nowMs);
    // A limit that is not used up is not known to be good.
    if (underWay * 2 >= this.#limit) this.#limit = Math.min(max, this.#limit + 1 / this.#limit);
  }

  /** The endpoint did not answer in time, or said that it has too much to do. */
  onOverload(nowMs: number): void {
    if (this.policy.max > 0) this.#decrease(NOISE_MS, nowMs);
  }

  #decrease(latencyMs: number, nowMs: number): void {
    if (nowMs < this.#deafUntilMs) return;
    this.#deafUntilMs = nowMs + latencyMs;
    this.#limit = Math.max(this.policy.min, this.#limit * DECREASE);
  }

  #remember(latencyMs: number, nowMs: number): void {
    if (nowMs >= this.#spanEndsMs) {
      this.#formerBestMs = this.#spanEndsMs < 0 ? Infinity : this.#bestMs;
      this.#bestMs = Infinity;
      this.#spanEndsMs = nowMs + MEMORY_MS;
    }
    this.#bestMs = Math.min(this.#bestMs, latencyMs);
  }
}
