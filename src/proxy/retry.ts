/** When a request may be sent once more. */
import { partOf } from "../net/threads.ts";
import type { Exchange } from "./exchange.ts";
import type { Failure } from "./upstream/failure.ts";

/** Retries that a rule asks for, as a share of requests: beyond it they would multiply an overload. */
const BUDGET_RATIO = 0.2;
/** … and as many a second even without requests, so that a quiet service can retry at all. */
const BUDGET_PER_SECOND = 10;
/** Longest time over which unused budget adds up, seconds. */
const BUDGET_WINDOW_S = 10;

/** Budget of retries, shared by the requests of a thread. */
export class RetryBudget {
  readonly #perSecond = partOf(BUDGET_PER_SECOND);
  #tokens = this.#perSecond * BUDGET_WINDOW_S;
  #lastMs: number;

  constructor(nowMs: number) {
    this.#lastMs = nowMs;
  }

  /** A request was sent. */
  deposit(): void {
    this.#tokens += BUDGET_RATIO;
  }

  /** Takes a retry out of the budget; false when there is none left. */
  withdraw(nowMs: number): boolean {
    const most = this.#perSecond * BUDGET_WINDOW_S;
    this.#tokens = Math.min(most, this.#tokens + ((nowMs - this.#lastMs) / 1000) * this.#perSecond);
    this.#lastMs = nowMs;
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}

/** Methods whose repetition changes nothing (RFC 9110 §9.2.2). */
export function isIdempotent(method: string): boolean {
  return method === "GET" || method === "HEAD" || method === "OPTIONS" || method === "PUT" || method === "DELETE" ||
    method === "TRACE";
}

/** The peer certainly (or, for safe methods, as good as certainly) did not act: sending it elsewhere needs no permission. */
export function isFree(exchange: Exchange, failure: Failure): boolean {
  if (!failure.unprocessed || !exchange.canReplay) return false;
  if (failure.code === "denied") return false; // policy is the same at every endpoint
  return failure.code !== "upstream_closed" || isIdempotent(exchange.request.method);
}

/** The rule allows another try after a failure of which nobody knows whether the peer acted. */
export function isAllowed(exchange: Exchange, failure: Failure): boolean {
  const retry = exchange.rule?.retry ?? null;
  if (retry === null || !exchange.canReplay || exchange.attempts > retry.limit) return false;
  return retry.connectionError && failure.code !== "denied" && isIdempotent(exchange.request.method);
}

/** The rule asks for another try after this status. */
export function isRetriedStatus(exchange: Exchange, status: number): boolean {
  const retry = exchange.rule?.retry ?? null;
  return retry !== null && retry.statusCodes.has(status) && exchange.canReplay && exchange.attempts <= retry.limit;
}
