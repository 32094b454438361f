/**
 * Circuit breaker of one endpoint.
 *
 *   closed ─N failures in a row, or a bad window→ open (penalty) ─penalty over→ probation: one request ─success→ closed
 *                                                                                    ─failure→ open (penalty doubled)
 */
import type { Breaker } from "../../model/outbound.ts";
import type { Ejection } from "../../model/resilience.ts";
import { type Ejectable, EjectionFloor } from "./ejection_floor.ts";
import { OutcomeWindow } from "./outcome_window.ts";

/** Used where the configuration names no breaker: Linkerd's numbers. */
export const DEFAULT_BREAKER: Breaker = { consecutiveFailures: 7, minPenaltyMs: 1000, maxPenaltyMs: 60_000 };
/** Share of the penalty that is random, so that probes of many proxies do not come at the same time. */
const JITTER = 0.5;

/** Why a breaker opened. */
export type TripReason = "consecutive" | "success_rate" | "latency";

/** A breaker that has tripped or closed in one thread, for the others: who finds out first spares them the failures. */
export interface Trip {
  /** What the endpoint is known by. */
  readonly key: string;
  /** 0: it has closed. */
  readonly trips: number;
  /** How long it stays out from now on. */
  readonly penaltyMs: number;
}

export class EndpointBreaker implements Ejectable {
  /** Told of each change; null for nobody. */
  onTrip: ((trips: number, penaltyMs: number, reason: TripReason) => void) | null = null;
  #policy: Breaker;
  #ejection: Ejection | null = null;
  #window: OutcomeWindow | null = null;
  #floor: EjectionFloor | null = null;
  #failures = 0;
  #trips = 0;
  #reason: TripReason = "consecutive";
  #openedMs = 0;
  #openUntilMs = 0;
  #probing = false;

  constructor(policy: Breaker) {
    this.#policy = policy;
  }

  /**
   * Takes new numbers over; what was counted stays. An endpoint that is out stays out no longer than the new ones would have
   * it, and comes back when they do not look any more at what it did.
   *
   * @param floor asked before the endpoint is taken out; null: nobody is
   */
  setPolicy(policy: Breaker, ejection: Ejection | null = null, floor: EjectionFloor | null = null): void {
    const isOther = this.#trips > 0 && !(isEqual(policy, this.#policy) && isEqual(ejection, this.#ejection));
    this.#policy = policy;
    this.#floor = floor;
    if (ejection === null) this.#window = null;
    else if (ejection.windowMs !== this.#ejection?.windowMs) this.#window = new OutcomeWindow(ejection.windowMs);
    this.#ejection = ejection;
    if (!isOther) return;
    if (!this.#isWatched(this.#reason)) return this.readmit();
    const longest = this.#penaltyMs(this.#trips - 1) * (1 + JITTER);
    this.#openUntilMs = Math.min(this.#openUntilMs, this.#openedMs + longest);
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

  /**
   * A request succeeded: closed again. Where a window is watched only a probe closes: successes are part of what it judges.
   *
   * @param latencyMs until the response's head; 0 when that says nothing
   * @param random uniform in [0, 1)
   */
  onSuccess(nowMs: number, latencyMs: number, random: number): void {
    const wasProbing = this.#probing;
    this.#failures = 0;
    if (this.#window === null || this.#ejection === null) return this.readmit();
    const isSlow = this.#ejection.slowAfterMs > 0 && latencyMs > this.#ejection.slowAfterMs;
    this.#window.add(isSlow ? "slow" : "ok", nowMs);
    if (this.#trips === 0) {
      const reason = this.#judge(nowMs);
      if (reason !== null && this.#mayOpen()) this.#open(reason, nowMs, random);
    } else if (wasProbing) {
      this.#probing = false;
      if (isSlow && this.#reason === "latency") this.#open("latency", nowMs, random);
      else this.readmit();
    }
  }

  /**
   * A request failed.
   *
   * @param random uniform in [0, 1)
   * @returns true when this opened the breaker
   */
  onFailure(nowMs: number, random: number): boolean {
    const { consecutiveFailures } = this.#policy;
    this.#failures++;
    this.#window?.add("failed", nowMs);
    const wasProbing = this.#probing;
    this.#probing = false;
    if (consecutiveFailures === 0 && this.#window === null) return false;
    if (!wasProbing && this.#trips > 0) return false;
    const isInARow = consecutiveFailures > 0 && this.#failures >= consecutiveFailures;
    const reason = wasProbing ? this.#reason : isInARow ? "consecutive" : this.#judge(nowMs);
    if (reason === null || (!wasProbing && !this.#mayOpen())) return false;
    this.#open(reason, nowMs, random);
    return true;
  }

  /** Takes over what another thread has found out. */
  adopt(nowMs: number, trips: number, penaltyMs: number): void {
    if (trips > 0 && this.#trips === 0 && !this.#mayOpen()) return;
    this.#failures = 0;
    this.#trips = trips;
    this.#openedMs = nowMs;
    this.#openUntilMs = nowMs + penaltyMs;
    this.#probing = false;
    if (trips === 0) this.#window?.clear();
  }

  /** Closed again. */
  readmit(): void {
    if (this.#trips > 0) {
      this.onTrip?.(0, 0, this.#reason);
      this.#window?.clear();
    }
    this.#failures = 0;
    this.#trips = 0;
    this.#probing = false;
  }

  #mayOpen(): boolean {
    return this.#floor === null || this.#floor.mayEject();
  }

  /** What the window says; null: nothing. */
  #judge(nowMs: number): TripReason | null {
    if (this.#window === null || this.#ejection === null) return null;
    const { minRequests, minSuccessPercent, slowAfterMs, maxSlowPercent } = this.#ejection;
    const { total, failed, slow } = this.#window.read(nowMs);
    if (total < Math.max(1, minRequests)) return null;
    if ((total - failed) * 100 < minSuccessPercent * total) return "success_rate";
    return slowAfterMs > 0 && slow * 100 > maxSlowPercent * total ? "latency" : null;
  }

  /** Whether the policy takes endpoints out for this. */
  #isWatched(reason: TripReason): boolean {
    if (reason === "consecutive") return this.#policy.consecutiveFailures > 0;
    const { minSuccessPercent = 0, slowAfterMs = 0 } = this.#ejection ?? {};
    return (reason === "latency" ? slowAfterMs : minSuccessPercent) > 0;
  }

  /** Without its random part. @param before how often it had opened already */
  #penaltyMs(before: number): number {
    const { minPenaltyMs, maxPenaltyMs } = this.#policy;
    return Math.min(maxPenaltyMs, minPenaltyMs * 2 ** Math.min(before, 20));
  }

  #open(reason: TripReason, nowMs: number, random: number): void {
    const penaltyMs = this.#penaltyMs(this.#trips) * (1 + JITTER * random);
    this.#trips++;
    this.#reason = reason;
    this.#openedMs = nowMs;
    this.#openUntilMs = nowMs + penaltyMs;
    this.onTrip?.(this.#trips, penaltyMs, reason);
  }
}

/** Field by field; these are flat. */
function isEqual(a: Breaker | Ejection | null, b: Breaker | Ejection | null): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}
