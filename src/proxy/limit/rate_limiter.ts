/** The rates of one port: all that are set must admit a request, and one that is refused counts for none of them. */
import type { RateLimit } from "../../model/rate_limit.ts";
import { resourceKey } from "../../model/resource.ts";
import { Bucket, type Pace, paceOf } from "./bucket.ts";
import { BucketTable } from "./bucket_table.ts";

/** Which rate a request was too much for. */
export type RateScope = "total" | "identity" | "header";

/** A request that came too early. */
export interface Excess {
  readonly scope: RateScope;
  /** When it may come again, if nobody else comes before. */
  readonly waitMs: number;
}

/** What is looked at of a request. */
export interface LimitedHead {
  get(name: string): string | null;
}

export class RateLimiter {
  readonly spec: RateLimit;
  readonly #total: Pace | null;
  readonly #totalBucket = new Bucket();
  readonly #identity: Pace | null;
  readonly #identities = new BucketTable();
  readonly #overrides = new Map<string, { readonly pace: Pace; readonly bucket: Bucket }>();
  readonly #header: Pace | null;
  readonly #values = new BucketTable();
  /** What the request that is looked at would be taken from. */
  #identityPace: Pace | null = null;
  #identityBucket: Bucket | null = null;
  #valueBucket: Bucket | null = null;

  /** @param threads among which the rates are divided */
  constructor(spec: RateLimit, threads: number) {
    this.spec = spec;
    this.#total = spec.total === null ? null : paceOf(spec.total, threads);
    this.#identity = spec.identity === null ? null : paceOf(spec.identity, threads);
    this.#header = spec.header === null ? null : paceOf(spec.header.rate, threads);
    for (const { rate, identities } of spec.overrides) {
      const override = { pace: paceOf(rate, threads), bucket: new Bucket() };
      for (const identity of identities) this.#overrides.set(identity, override);
    }
  }

  /**
   * Lets a request in, or says why not.
   *
   * @param identity verified; "" for none
   * @param nowMs monotonic
   */
  admit(identity: string, head: LimitedHead, nowMs: number): Excess | null {
    const excess = this.excess(identity, head, nowMs);
    if (excess === null) this.take(nowMs);
    return excess;
  }

  /** Why a request may not come in, or null. Nothing is counted until `take`, which must follow at once. */
  excess(identity: string, head: LimitedHead, nowMs: number): Excess | null {
    const override = this.#overrides.get(identity);
    const identityPace = override === undefined ? this.#identity : override.pace;
    const identityBucket = override !== undefined
      ? override.bucket
      : identityPace === null
      ? null
      : this.#identities.get(identity, nowMs);
    const value = this.spec.header === null ? null : head.get(this.spec.header.name);
    const valueBucket = value === null ? null : this.#values.get(value, nowMs);

    const totalMs = this.#total === null ? 0 : this.#totalBucket.waitMs(this.#total, nowMs);
    const identityMs = identityBucket === null ? 0 : identityBucket.waitMs(identityPace as Pace, nowMs); // set with it
    const valueMs = valueBucket === null ? 0 : valueBucket.waitMs(this.#header as Pace, nowMs); // as above
    const waitMs = Math.max(totalMs, identityMs, valueMs);
    if (waitMs > 0) {
      return { scope: waitMs === totalMs ? "total" : waitMs === identityMs ? "identity" : "header", waitMs };
    }
    this.#identityPace = identityPace;
    this.#identityBucket = identityBucket;
    this.#valueBucket = valueBucket;
    return null;
  }

  /** Counts the request that `excess` has just found nothing against. */
  take(nowMs: number): void {
    if (this.#total !== null) this.#totalBucket.take(this.#total, nowMs);
    if (this.#identityBucket !== null) this.#identityBucket.take(this.#identityPace as Pace, nowMs); // set with it
    if (this.#valueBucket !== null) this.#valueBucket.take(this.#header as Pace, nowMs); // as above
  }
}

/** The limiters in force. A new snapshot that says the same goes on with the same buckets. */
export class RateLimiters {
  readonly #threads: number;
  readonly #limiters = new WeakMap<RateLimit, RateLimiter>();
  /** By port and policy: the latest. */
  readonly #latest = new Map<string, RateLimiter>();

  constructor(threads: number) {
    this.#threads = threads;
  }

  /** The limiter of a port, or of a route there: all rules of it have the same. */
  of(port: number, spec: RateLimit): RateLimiter {
    let limiter = this.#limiters.get(spec);
    if (limiter !== undefined) return limiter;
    const key = `${port} ${resourceKey(spec.policy)}`;
    const latest = this.#latest.get(key);
    limiter = latest !== undefined && JSON.stringify(latest.spec) === JSON.stringify(spec)
      ? latest
      : new RateLimiter(spec, this.#threads);
    this.#limiters.set(spec, limiter);
    this.#latest.set(key, limiter);
    return limiter;
  }
}
