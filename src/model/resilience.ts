/** What a BackendPolicy, or annotations of a Service, ask for beyond the breaker. Null, or 0 for a time, is off. */
import { NO_RESOURCE, type ResourceRef } from "./resource.ts";

/** Takes endpoints out by what they did in a window of time. */
export interface Ejection {
  /** Least share of successes, percent; 0: not looked at. */
  readonly minSuccessPercent: number;
  readonly windowMs: number;
  /** Requests in the window before it says anything. */
  readonly minRequests: number;
  /** Answers that take longer are slow; 0: not looked at. */
  readonly slowAfterMs: number;
  /** Largest share of slow answers, percent. */
  readonly maxSlowPercent: number;
  /** Most endpoints that may be out at a time, for whatever failures, percent of all. */
  readonly maxEjectedPercent: number;
}

/** Bounds all retries and hedges of a target. */
export interface RetryBudgetPolicy {
  /** Share of the requests, percent. */
  readonly percent: number;
  /** … and as many a second without any. */
  readonly minPerSecond: number;
}

/** Asks a second endpoint when the first is slow. */
export interface Hedging {
  readonly delayMs: number;
  /** Methods beside the safe ones whose requests may be asked twice. */
  readonly methods: ReadonlySet<string>;
}

/** Bounds the requests under way to each endpoint. */
export interface Concurrency {
  /** The limit, or where it starts when it adapts. */
  readonly limit: number;
  /** Both 0: it is fixed. */
  readonly min: number;
  readonly max: number;
}

/** Keeps requests in the client's zone while its endpoints are not busier than this. */
export interface ZonePreference {
  /** Requests under way to an endpoint beyond which other zones are asked. */
  readonly spillOver: number;
}

/** Requests with the same key go to the same endpoint, while it is there. */
export interface ConsistentHash {
  /** What the key is; "source_ip" and "identity" are those of the client's workload, and hold for any connection. */
  readonly by: "header" | "cookie" | "query" | "source_ip" | "identity";
  /** Of the header (lower case), cookie or parameter; "" for the others. */
  readonly name: string;
  /** Most requests under way to an endpoint, in percent of the mean of all, before its keys go on; 0: any number. */
  readonly balancePercent: number;
  /** How long after its last request a client goes where it went, also when endpoints have come; 0: not remembered. */
  readonly affinityMs: number;
}

export interface Resilience {
  readonly policy: ResourceRef;
  readonly ejection: Ejection | null;
  /** Time in which an endpoint that is new, or back, comes to its full share. */
  readonly slowStartMs: number;
  readonly retryBudget: RetryBudgetPolicy | null;
  readonly hedging: Hedging | null;
  readonly concurrency: Concurrency | null;
  readonly zone: ZonePreference | null;
  readonly hash: ConsistentHash | null;
}

/** A policy that says nothing. */
export const NO_RESILIENCE: Resilience = {
  policy: NO_RESOURCE,
  ejection: null,
  slowStartMs: 0,
  retryBudget: null,
  hedging: null,
  concurrency: null,
  zone: null,
  hash: null,
};
