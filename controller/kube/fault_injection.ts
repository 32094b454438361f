/** FaultInjection as objects say it. */
import type { Meta, ObjectRef } from "./resources.ts";

/** Fastest bandwidth that is taken, bytes per second: more is no fault. */
export const MAX_BANDWIDTH = 1_000_000_000;

/** FaultInjection (policy.tulle.dev/v1alpha1): spoils requests to a Service or route on purpose, for a time. */
export interface FaultInjection {
  readonly kind: "FaultInjection";
  readonly meta: Meta;
  /** A Service, HTTPRoute or GRPCRoute. */
  readonly target: ObjectRef;
  readonly percent: number;
  /** ServiceAccounts of callers; empty: all. */
  readonly clients: readonly ObjectRef[];
  /** Milliseconds since 1970; null: `forMs` says it. */
  readonly untilMs: number | null;
  /** Since the object was made. */
  readonly forMs: number | null;
  readonly delayMs: number | null;
  readonly abort: { readonly httpStatus: number | null; readonly grpcStatus: number | null } | null;
  readonly reset: boolean;
  /** Body bytes of each request and response that pass in a second; null: not said. */
  readonly bandwidth:
    | { readonly requestBytesPerSecond: number | null; readonly responseBytesPerSecond: number | null }
    | null;
}
