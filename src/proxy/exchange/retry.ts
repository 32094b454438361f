/** When a request may be sent once more, and on whose account. */
import type { RetryPolicy } from "../../model/outbound.ts";
import type { RetryBudgetPolicy } from "../../model/resilience.ts";
import { partOf, threadCount } from "../../net/threads.ts";
import { IS_GRPC } from "../../wire/header_block.ts";
import { isGrpcStatusIn } from "./outcome.ts";
import type { Exchange } from "./exchange.ts";
import { isIdempotent, isSafe } from "./methods.ts";
import { grpcStatusOf } from "./respond.ts";
import type { Failure } from "../upstream/failure.ts";

/** Retries that cost the upstream work, as a share of requests: beyond it they would multiply an overload. */
const BUDGET_RATIO = 0.2;
/** … and as many a second even without requests, so that a quiet service can retry at all. */
const BUDGET_PER_SECOND = 10;
/** Longest time over which unused budget adds up, seconds. */
const BUDGET_WINDOW_S = 10;
/** Unused budget that may add up of requests alone. */
const LEAST_ROOM = 100;

/** Tries of one request when endpoints refuse it unseen, before it pauses: enough to get past two that are just leaving. */
export const MAX_FREE_TRIES = 4;
/** Further tries of a request whose connection broke, where no rule says how many. */
const DEFAULT_LIMIT = 2;

/** Budget of retries, shared by the requests of a target (of a thread). */
export class RetryBudget {
  #ratio = BUDGET_RATIO;
  #perSecond = partOf(BUDGET_PER_SECOND);
  #tokens = this.#perSecond * BUDGET_WINDOW_S;
  #lastMs: number;

  constructor(nowMs: number) {
    this.#lastMs = nowMs;
  }

  /** Takes other numbers over; null: the usual ones. Less than what is left is left of it. */
  use(policy: RetryBudgetPolicy | null): void {
    this.#ratio = policy === null ? BUDGET_RATIO : policy.percent / 100;
    this.#perSecond = policy === null ? partOf(BUDGET_PER_SECOND) : policy.minPerSecond / threadCount();
    this.#tokens = Math.min(this.#tokens, this.#perSecond * BUDGET_WINDOW_S);
  }

  /** A request was sent. */
  deposit(): void {
    this.#tokens += this.#ratio;
  }

  /** Takes a retry out of the budget; false when there is none left. */
  withdraw(nowMs: number): boolean {
    this.#tokens = Math.min(this.#most(), this.#tokens + ((nowMs - this.#lastMs) / 1000) * this.#perSecond);
    this.#lastMs = nowMs;
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }

  /** Unused budget of a few seconds; room where requests alone earn it. */
  #most(): number {
    return Math.max(this.#ratio > 0 ? LEAST_ROOM : 0, this.#perSecond * BUDGET_WINDOW_S);
  }
}

/**
 * What another try costs.
 *
 *   free     nobody has acted on the request: it only goes elsewhere
 *   budget   it may be work for the upstream a second time
 *   limit    it would be allowed, had there not been as many tries already
 *   no       it could be acted on twice, or nothing would change
 */
export type Account = "free" | "budget" | "limit" | "no";

/** On whose account a request may be sent again after an attempt that brought no response. */
export function accountOf(exchange: Exchange, failure: Failure): Account {
  if (!exchange.canReplay || failure.code === "denied") return "no"; // policy is the same at every endpoint
  const { method } = exchange.request;
  if (failure.unprocessed && (failure.code !== "upstream_closed" || isIdempotent(method))) {
    return (exchange.history?.free ?? 0) < MAX_FREE_TRIES ? "free" : "limit";
  }
  const policy = exchange.rule?.retry ?? null;
  const broke = failure.code === "upstream_reset" || failure.code === "upstream_closed";
  if (policy === null) return broke && isSafe(method) ? within(exchange, DEFAULT_LIMIT) : "no";
  const isAsked = (policy.connectionError && (broke || failure.code === "timeout") && isIdempotent(method)) ||
    ((exchange.request.flags & IS_GRPC) !== 0 && isGrpcStatusIn(grpcStatusOf(failure.code), policy.grpcStatuses));
  return isAsked ? within(exchange, policy.limit) : "no";
}

/** … after a response that the rule may want to be tried again. @param grpcStatus of a head that is the whole response, else -1 */
export function accountOfResponse(exchange: Exchange, status: number, grpcStatus: number): Account {
  const policy = exchange.rule?.retry ?? null;
  if (policy === null || !isRetried(policy, status, grpcStatus) || !exchange.canReplay) return "no";
  return within(exchange, policy.limit);
}

function isRetried(policy: RetryPolicy, status: number, grpcStatus: number): boolean {
  return policy.statusCodes.has(status) || isGrpcStatusIn(grpcStatus, policy.grpcStatuses);
}

function within(exchange: Exchange, limit: number): Account {
  return (exchange.history?.retries ?? 0) < limit ? "budget" : "limit";
}
