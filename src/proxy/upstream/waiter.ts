/** Who waits for an upstream leg, and the queue of those who do. */
import type { Leg } from "../../http/leg.ts";
import type { Http1Request } from "../../http/http1_client.ts";
import type { LegListener } from "../../http/leg.ts";
import type { Failure } from "./failure.ts";

/** Requests that may wait for connections of one endpoint; beyond it a burst would only pile up behind a dead peer. */
export const MAX_QUEUED = 4096;
/** As many again may wait of clients that have few requests under way: who has many must not keep them out. */
const MAX_QUEUED_LIGHT = 2 * MAX_QUEUED;

/** Whose requests they are. */
export interface Origin {
  /** It has few requests under way. */
  readonly isLight: boolean;
  /** Requests that it has under way. */
  readonly held: number;
}

/** For what is not told apart: others go first. */
export const HEAVY: Origin = { isLight: false, held: Infinity };

/** Gets exactly one of the two calls, unless it cancels. */
export interface Waiter extends LegListener {
  /** What an HTTP/1 connection must know of the request. */
  readonly http1: Http1Request;
  readonly origin: Origin;
  /** It does no harm when an HTTP/1 server acts on it twice. */
  readonly isRepeatable: boolean;
  /** The waiter has given up; the pool drops it. */
  readonly cancelled: boolean;
  onUpstream(leg: Leg): void;
  onUpstreamFailed(failure: Failure): void;
}

/** First come, first served. Cancelled waiters are skipped when their turn comes. */
export class WaiterQueue {
  #list: Waiter[] = [];
  #head = 0;

  /** Entries, cancelled ones included. */
  get length(): number {
    return this.#list.length - this.#head;
  }

  /**
   * Adds a waiter.
   *
   * @returns who does not wait (any more) because as many do as may: null for nobody, the waiter itself, or in its place the
   * newest one of the origin that has the most requests under way
   */
  push(waiter: Waiter): Waiter | null {
    const most = waiter.origin.isLight ? MAX_QUEUED_LIGHT : MAX_QUEUED;
    if (this.length >= most) this.#drop();
    const refused = this.length < most ? null : this.#displace(waiter.origin.held);
    if (refused === null && this.length >= most) return waiter;
    this.#list.push(waiter);
    return refused;
  }

  /** The next one that still waits, or null. @param lightOnly of those with few requests under way */
  shift(lightOnly = false): Waiter | null {
    if (lightOnly) return this.#shiftLight();

    while (this.#head < this.#list.length) {
      const waiter = this.#list[this.#head++] as Waiter; // in range
      if (this.#head === this.#list.length) this.#clear(); // it must not keep who was served
      else if (this.#head > 64 && this.#head * 2 > this.#list.length) {
        this.#list = this.#list.slice(this.#head);
        this.#head = 0;
      }
      if (!waiter.cancelled) return waiter;
    }
    return null;
  }

  #clear(): void {
    this.#list.length = 0;
    this.#head = 0;
  }

  #shiftLight(): Waiter | null {
    for (let at = this.#head; at < this.#list.length; at++) {
      const waiter = this.#list[at] as Waiter; // in range
      if (waiter.cancelled || !waiter.origin.isLight) continue;
      this.#list.splice(at, 1);
      return waiter;
    }
    return null;
  }

  /** Takes out the newest one of the origin with the most requests under way; null when none has more than `held`. */
  #displace(held: number): Waiter | null {
    let most = held;
    let at = -1;
    for (let i = this.#head; i < this.#list.length; i++) {
      const other = (this.#list[i] as Waiter).origin.held; // in range
      if (other <= held || other < most) continue;
      most = other;
      at = i;
    }
    return at < 0 ? null : this.#list.splice(at, 1)[0] as Waiter; // as above
  }

  /** Makes room where clients have given up: they must not keep others from waiting. */
  #drop(): void {
    this.#list = this.#list.filter((waiter, at) => at >= this.#head && !waiter.cancelled);
    this.#head = 0;
  }

  /** Takes one out that will not be told anything. Linear: for what takes too long, which is rare. */
  remove(waiter: Waiter): void {
    const at = this.#list.indexOf(waiter, this.#head);
    if (at >= 0) this.#list.splice(at, 1);
  }

  /** Takes everybody out, to be told that it failed. */
  takeAll(): Waiter[] {
    const all = this.#list.slice(this.#head).filter((w) => !w.cancelled);
    this.#list = [];
    this.#head = 0;
    return all;
  }
}
