/** How fast requests may come to a port of this workload. */
import type { ResourceRef } from "./resource.ts";

/** A rate with the requests that may come at once; both at least 1. */
export interface Rate {
  readonly requestsPerSecond: number;
  readonly burst: number;
}

/** All that are set must admit a request. */
export interface RateLimit {
  readonly policy: ResourceRef;
  readonly total: Rate | null;
  /** Each identity for itself; callers without one together. */
  readonly identity: Rate | null;
  /** Rates of some identities in place of `identity`, each for all of its identities together. */
  readonly overrides: readonly { readonly rate: Rate; readonly identities: readonly string[] }[];
  /** Each value of a header for itself; name in lower case. */
  readonly header: { readonly name: string; readonly rate: Rate } | null;
}
