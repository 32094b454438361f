/**
 * Requests for which no endpoint of a backend can be reached at the moment: they wait a little, because restarts and
 * replacements are short, instead of failing one after the other.
 *
 *   reachable ─a request finds no endpoint→ holding ─an endpoint answers→ reachable, and all that wait are sent
 *                                              └─ for a time nobody could be reached → failing fast: requests that come
 *                                                 fail at once; one now and then finds out whether an endpoint is back
 *
 * While requests wait, a few are sent again and again to find out: first one, then twice as many each time that none
 * comes back. So a backend that is down costs a few tries a second, whatever the load.
 */
import { Timer, type TimerOwner } from "../../base/timer_wheel.ts";
import { arm } from "../../net/ticker.ts";
import type { Attempts } from "../exchange/attempts.ts";
import type { Exchange } from "../exchange/exchange.ts";
import { type Failure, unsent } from "../upstream/failure.ts";

/** Between two looks whether an endpoint is back. */
const LOOK_MS = 100;
/**
 * Requests that wait for one backend: at a thousand requests a second a restart of a second. As many again may wait of
 * clients that have few requests under way.
 */
export const MAX_HELD = 1024;
/** After so long without a failure an outage counts as a new one. */
const FORGET_MS = 10_000;

/** Sends a request again. */
export type Resend = (exchange: Exchange) => void;

export class Hold implements TimerOwner {
  readonly #resend: Resend;
  readonly #name: string;
  readonly #holdMs: number;
  readonly #clock: () => number;
  readonly #timer = new Timer(this, 0);
  #waiting: Exchange[] = [];
  /** Those that wait, and those that were sent to find out. */
  #members = 0;
  #sinceMs = -1;
  #lastMs = 0;
  #burst = 1;

  /**
   * @param name of the backend, for people
   * @param holdMs longest time that a request waits, and after which the backend counts as down
   */
  constructor(name: string, resend: Resend, holdMs: number, clock: () => number) {
    this.#name = name;
    this.#holdMs = holdMs;
    this.#resend = resend;
    this.#clock = clock;
  }

  /** Requests that wait. */
  get size(): number {
    return this.#waiting.length;
  }

  /** Nothing failed for so long that there is nothing to remember. */
  isStale(nowMs: number): boolean {
    return this.#waiting.length === 0 && nowMs - this.#lastMs > FORGET_MS;
  }

  /**
   * Takes a request for which no endpoint could be reached.
   *
   * @param error what the last attempt met
   * @returns null when the request waits, or the failure with which it ends
   */
  take(exchange: Exchange, history: Attempts, error: Failure): Failure | null {
    const now = this.#clock();
    if (this.#sinceMs < 0 || this.isStale(now)) this.#sinceMs = now;
    this.#lastMs = now;
    this.#burst = 1;
    if (history.heldSinceMs < 0) {
      if (now - this.#sinceMs >= this.#holdMs) return this.#failFast(error, now);
      if (this.#members >= (exchange.origin.isLight ? 2 * MAX_HELD : MAX_HELD)) {
        return unsent("queue_full", `${MAX_HELD} requests wait for an endpoint of ${this.#name}: ${error.detail}`);
      }
      history.heldSinceMs = now;
    } else if (now - history.heldSinceMs >= this.#holdMs) return this.#tooLong(error);
    if (history.hold !== this) {
      history.hold = this;
      this.#members++;
    }
    history.failure = error;
    this.#waiting.push(exchange);
    if (this.#timer.tick < 0) arm(this.#timer, LOOK_MS);
    return null;
  }

  /** A request that was taken has ended. */
  left(): void {
    this.#members--;
  }

  /** An endpoint has answered: everybody may go. */
  reached(): void {
    this.#sinceMs = -1;
    this.#burst = 1;
    this.#send(this.#waiting.splice(0));
  }

  onTimer(_kind: number): void {
    const now = this.#clock();
    const live = this.#waiting.filter((exchange) => !exchange.finished);
    const late = live.filter((exchange) => this.#isLate(exchange, now));
    const waiting = live.filter((exchange) => !this.#isLate(exchange, now));
    const next = waiting.splice(0, this.#burst);
    this.#waiting = waiting;
    this.#burst = Math.min(MAX_HELD, this.#burst * 2);
    for (const exchange of late) exchange.fail(this.#tooLong((exchange.history as Attempts).failure)); // held ones have one
    this.#send(next);
    if (this.#waiting.length > 0 && this.#timer.tick < 0) arm(this.#timer, LOOK_MS);
  }

  #isLate(exchange: Exchange, nowMs: number): boolean {
    return nowMs - (exchange.history as Attempts).heldSinceMs >= this.#holdMs; // as above
  }

  #send(exchanges: readonly Exchange[]): void {
    for (const exchange of exchanges) {
      if (exchange.finished) continue;
      exchange.history?.rested();
      this.#resend(exchange);
    }
  }

  #tooLong(error: Failure): Failure {
    if (error.code === "no_endpoints") return error;
    return { ...error, detail: `${error.detail} (no other endpoint of ${this.#name} within ${this.#holdMs} ms)` };
  }

  #failFast(error: Failure, nowMs: number): Failure {
    if (error.code === "no_endpoints") return error;
    const seconds = Math.round((nowMs - this.#sinceMs) / 1000);
    return unsent("fail_fast", `no endpoint of ${this.#name} could be reached for ${seconds} s: ${error.detail}`);
  }
}

/** The backends that have, or lately had, no endpoint that could be reached. */
export class Holds {
  readonly #holds = new Map<string, Hold>();
  readonly #holdMs: number;
  readonly #clock: () => number;

  /** @param holdMs see Hold */
  constructor(holdMs: number, clock: () => number) {
    this.#holdMs = holdMs;
    this.#clock = clock;
  }

  /** None: nobody has to look. */
  get isEmpty(): boolean {
    return this.#holds.size === 0;
  }

  /** Requests that wait for a backend. */
  waiting(backendKey: string): number {
    return this.#holds.get(backendKey)?.size ?? 0;
  }

  /** The place to wait for a backend. */
  of(backendKey: string, name: string, resend: Resend): Hold {
    let hold = this.#holds.get(backendKey);
    if (hold === undefined) {
      this.#sweep();
      hold = new Hold(name, resend, this.#holdMs, this.#clock);
      this.#holds.set(backendKey, hold);
    }
    return hold;
  }

  /** An endpoint of the backend has answered. */
  reached(backendKey: string): void {
    const hold = this.#holds.get(backendKey);
    if (hold === undefined) return;
    this.#holds.delete(backendKey);
    hold.reached();
  }

  #sweep(): void {
    const now = this.#clock();
    for (const [key, hold] of this.#holds) if (hold.isStale(now)) this.#holds.delete(key);
  }
}
