/** BackendPolicy as objects say it. */
import type { Meta, ObjectRef } from "./resources.ts";

/** Bounds of its numbers, which its definition and its decoder share. */
export const MAX_FAILURES = 10_000;
export const MAX_REQUESTS = 1_000_000;
export const MAX_METHODS = 16;
export const MAX_KEY_NAME = 256;
/** Percent of the mean: less than it cannot hold for all, and more than ten times as much never acts. */
export const BALANCE_FACTOR = { least: 101, most: 1000 };

/** Whatever is null is not said. Times in milliseconds, shares in percent. */
export interface BackendSettings {
  readonly ejection: {
    readonly consecutiveFailures: number | null;
    readonly minSuccessPercent: number | null;
    readonly windowMs: number | null;
    readonly minRequests: number | null;
    readonly slowAfterMs: number | null;
    readonly maxSlowPercent: number | null;
    readonly minPenaltyMs: number | null;
    readonly maxPenaltyMs: number | null;
    readonly maxEjectedPercent: number | null;
  } | null;
  readonly slowStartMs: number | null;
  readonly retryBudget: { readonly percent: number | null; readonly minPerSecond: number | null } | null;
  readonly hedging: { readonly delayMs: number; readonly methods: readonly string[] } | null;
  readonly concurrency:
    | { readonly limit: number | null; readonly adaptive: { readonly min: number; readonly max: number } | null }
    | null;
  readonly zone: { readonly spillOver: number } | null;
  readonly hash: HashSettings | null;
}

/** What consistent hashing goes by, as the protocol names it. */
export interface HashSettings {
  readonly by: "header" | "cookie" | "query" | "source_ip" | "identity";
  readonly name: string;
  /** 0: no bound. */
  readonly balanceFactor: number | null;
}

/** BackendPolicy (policy.tulle.dev/v1alpha1): how clients treat the endpoints of a Service. */
export interface BackendPolicy extends BackendSettings {
  readonly kind: "BackendPolicy";
  readonly meta: Meta;
  /** A Service. */
  readonly target: ObjectRef;
}
