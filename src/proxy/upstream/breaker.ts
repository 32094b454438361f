/**
 * Circuit breaker of one endpoint.
 *
 *   closed ─N failures in a row→ open (penalty) ─penalty over→ probation: one request ─success→ closed
 *                                                                                    ─failure→ open (penalty doubled)
 */
import type { Breaker } from "../../model/outbound.ts";

/** Used where the configuration names no breaker: Linkerd's numbers. */
export const DEFAULT_BREAKER: Breaker = { consecutiveFailures: 7, minPenaltyMs: 1000, maxPenaltyMs: 60_000 };
/** Share of the penalty that is random, so that probes of many proxies do not come at the same time. */
const JITTER = 0.5;

/** A breaker that has tripped or closed in one thread, for the others: who finds out first spares them the failures. */
export interface Trip {
  /** What the endpoint is known by. */
  readonly key: string;
  /** 0: it has closed. */
  readonly trips: number;
  /** How long it stays out from now on. */
  readonly penaltyMs: number;
}

export class EndpointBreaker {
  /** Told of each change; null for nobody. */
  onTrip: ((trips: number, penaltyMs: number) => void) | null = null;
  #policy: Breaker;
  #failures = 0;
  #trips = 0;
  #openUntilMs = 0;
  #probing = false;

  constructor(policy: Breaker) {
    this.#policy = policy;
  }

  /** Takes new numbers over; what was counted stays. */
  setPolicy(policy: Breaker): void {
    this.#policy = policy;
  }

  /** True while the endpoint is taken out. */
  get isOpen(): boolean {
    return this.#trips > 0;
  }

  /** May a request go to the endpoint now? In probation a single one may, until its outcome is known. */
  admits(nowMs: number): boolean {
    return this.#trips === 0 || (nowMs >= this.#openUntilMs && !this.#probing);
  }

  /** A request is being sent. One that goes out although the endpoint is taken out (all are) proves nothing. */
  onRequest(nowMs: number): void {
    if (this.#trips > 0 && nowMs >= this.#openUntilMs) this.#probing = true;
  }

  /** The request ended without telling anything about the endpoint (the client went away). */
  onCancelled(): void {
    this.#probing = false;
  }

  /** A request succeeded: closed again. */
  onSuccess(): void {
    if (this.#trips > 0) this.onTrip?.(0, 0);
    this.#failures = 0;
    this.#trips = 0;
    this.#probing = false;
  }

  /**
   * A request failed.
   *
   * @param random uniform in [0, 1)
   * @returns true when this opened the breaker
   */
  onFailure(nowMs: number, random: number): boolean {
    const { consecutiveFailures, minPenaltyMs, maxPenaltyMs } = this.#policy;
    this.#failures++;
    const wasProbing = this.#probing;
    this.#probing = false;
    if (consecutiveFailures === 0) return false;
    if (!wasProbing && (this.#trips > 0 || this.#failures < consecutiveFailures)) return false;
    const penalty = Math.min(maxPenaltyMs, minPenaltyMs * 2 ** Math.min(this.#trips, 20));
    this.#trips++;
    const penaltyMs = penalty * (1 + JITTER * random);
    this.#openUntilMs = nowMs + penaltyMs;
    this.onTrip?.(this.#trips, penaltyMs);
    return true;
  }

  /** Takes over what another thread has found out. */
  adopt(nowMs: number, trips: number, penaltyMs: number): void {
    this.#failures = 0;
    this.#trips = trips;
    this.#openUntilMs = nowMs + penaltyMs;
    this.#probing = false;
  }
}
