/** BackendPolicy as objects say it. */
import type { Meta, ObjectRef } from "./resources.ts";

/** Bounds of its numbers, which its definition and its decoder share. */
export const MAX_FAILURES = 10_000;
export const MAX_REQUESTS = 1_000_000;
export const MAX_METHODS = 16;

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
}

/** BackendPolicy (policy.tulle.dev/v1alpha1): how clients treat the endpoints of a Service. */
export interface BackendPolicy extends BackendSettings {
  readonly kind: "BackendPolicy";
  readonly meta: Meta;
  /** A Service. */
  readonly target: ObjectRef;
}
