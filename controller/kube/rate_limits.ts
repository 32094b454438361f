/** Limits of rate as objects say them. */
import type { Meta, ObjectRef } from "./resources.ts";

/** Fastest rate that is taken: no sidecar carries more, and numbers beyond are slips. */
export const MAX_RATE = 1_000_000;
/** Most identities with a rate of their own: each is a bucket in each sidecar. */
export const MAX_OVERRIDES = 64;

/** How fast requests may come. */
export interface Rate {
  readonly requestsPerSecond: number;
  /** Requests that may come at once after a pause. */
  readonly burst: number;
}

/** RateLimitPolicy (policy.tulle.dev/v1alpha1): what the sidecars of a Server's workloads let in, each for itself. */
export interface RateLimitPolicy {
  readonly kind: "RateLimitPolicy";
  readonly meta: Meta;
  /** A Server, or an HTTPRoute or GRPCRoute that is attached to one. */
  readonly target: ObjectRef;
  readonly total: Rate | null;
  readonly identity: Rate | null;
  readonly overrides: readonly { readonly rate: Rate; readonly clients: readonly ObjectRef[] }[];
  /** Name in lower case. */
  readonly header: { readonly name: string; readonly rate: Rate } | null;
}
