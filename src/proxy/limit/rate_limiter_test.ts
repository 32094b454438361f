import { expect, test } from "bun:test";
import fc from "fast-check";
import type { RateLimit } from "../../model/rate_limit.ts";
import { NO_RESOURCE } from "../../model/resource.ts";
import { Bucket, paceOf } from "./bucket.ts";
import { BucketTable } from "./bucket_table.ts";
import { RateLimiter, RateLimiters } from "./rate_limiter.ts";

const rate = fc.record({
  requestsPerSecond: fc.integer({ min: 1, max: 5000 }),
  burst: fc.integer({ min: 1, max: 50 }),
});
/** Times between requests, milliseconds. */
const gaps = fc.array(fc.double({ min: 0, max: 400, noNaN: true }), { minLength: 1, maxLength: 200 });

function limit(more: Partial<RateLimit>): RateLimit {
  return { policy: NO_RESOURCE, total: null, identity: null, overrides: [], header: null, ...more };
}

const head = (values: Readonly<Record<string, string>> = {}) => ({ get: (name: string) => values[name] ?? null });

test("in no span of time more is admitted than the burst and the rate allow", () => {
  fc.assert(fc.property(rate, gaps, (limit, gaps) => {
    const bucket = new Bucket();
    const pace = paceOf(limit, 1);
    const admitted: number[] = [];
    let now = 0;
    for (const gap of gaps) {
      now += gap;
      if (bucket.waitMs(pace, now) > 0) continue;
      bucket.take(pace, now);
      admitted.push(now);
    }
    for (let from = 0; from < admitted.length; from++) {
      for (let to = from; to < admitted.length; to++) {
        const spanMs = (admitted[to] as number) - (admitted[from] as number); // in range
        const most = limit.burst + (spanMs / 1000) * limit.requestsPerSecond;
        expect(to - from + 1).toBeLessThanOrEqual(most + 1e-6);
      }
    }
  }));
});

test("a request that waits as long as it was told is admitted: nobody starves", () => {
  fc.assert(fc.property(rate, gaps, (spec, gaps) => {
    const limiter = new RateLimiter(limit({ total: spec, identity: spec }), 1);
    let now = 0;
    for (const gap of gaps) {
      now += gap;
      const excess = limiter.admit("a", head(), now);
      if (excess === null) continue;
      expect(excess.waitMs).toBeLessThanOrEqual(1000 / spec.requestsPerSecond + 1e-6);
      now += excess.waitMs + 1e-6; // what floating point may have lost
      expect(limiter.admit("a", head(), now)).toBeNull();
    }
  }));
});

test("threads together stay within the rate, and each may always admit one", () => {
  fc.assert(fc.property(rate, fc.integer({ min: 1, max: 16 }), (spec, threads) => {
    const pace = paceOf(spec, threads);
    expect((1000 / pace.intervalMs) * threads).toBeCloseTo(spec.requestsPerSecond, 6);
    expect(new Bucket().waitMs(pace, 0)).toBe(0);
  }));
});

test("a request that one rate refuses counts for none", () => {
  const one = { requestsPerSecond: 1, burst: 1 };
  const limiter = new RateLimiter(limit({ total: { requestsPerSecond: 1, burst: 2 }, identity: one }), 1);
  expect(limiter.admit("a", head(), 0)).toBeNull();
  for (let i = 0; i < 10; i++) expect(limiter.admit("a", head(), 0)?.scope).toBe("identity");
  expect(limiter.admit("b", head(), 0)).toBeNull(); // the second of the total is still there
  expect(limiter.admit("c", head(), 0)).toMatchObject({ scope: "total", waitMs: 1000 });
});

test("an override takes the place of the identity's rate, for all that it names together", () => {
  const one = { requestsPerSecond: 1, burst: 1 };
  const overrides = [{ rate: { requestsPerSecond: 1, burst: 3 }, identities: ["a", "b"] }];
  const limiter = new RateLimiter(limit({ identity: one, overrides }), 1);
  expect(["a", "b", "a", "b"].map((who) => limiter.admit(who, head(), 0)?.scope ?? "in")).toEqual(
    ["in", "in", "in", "identity"],
  );
  expect(limiter.admit("c", head(), 0)).toBeNull();
  expect(limiter.admit("c", head(), 0)?.scope).toBe("identity");
});

test("each value of the header has its own rate; a request without it is not counted", () => {
  const header = { name: "x-tenant", rate: { requestsPerSecond: 1, burst: 1 } };
  const limiter = new RateLimiter(limit({ header }), 1);
  expect(limiter.admit("", head({ "x-tenant": "a" }), 0)).toBeNull();
  expect(limiter.admit("", head({ "x-tenant": "a" }), 0)?.scope).toBe("header");
  expect(limiter.admit("", head({ "x-tenant": "b" }), 0)).toBeNull();
  const long = "x".repeat(1000);
  expect(limiter.admit("", head({ "x-tenant": `${long}1` }), 0)).toBeNull();
  expect(limiter.admit("", head({ "x-tenant": `${long}2` }), 0)).toBeNull();
  expect(limiter.admit("", head({ "x-tenant": `${long}1` }), 0)?.scope).toBe("header");
  for (let i = 0; i < 5; i++) expect(limiter.admit("", head(), 0)).toBeNull();
});

test("a table stays within its bound whatever comes, and no key gets more than its rate", () => {
  fc.assert(fc.property(fc.array(fc.integer({ min: 0, max: 30 }), { maxLength: 300 }), (keys) => {
    const table = new BucketTable(8);
    const pace = paceOf({ requestsPerSecond: 10, burst: 2 }, 1);
    const admitted = new Map<number, number>();
    for (const [at, key] of keys.entries()) {
      const bucket = table.get(String(key), at);
      expect(table.size).toBeLessThanOrEqual(8);
      if (bucket.waitMs(pace, at) > 0) continue;
      bucket.take(pace, at);
      admitted.set(key, (admitted.get(key) ?? 0) + 1);
    }
    for (const count of admitted.values()) expect(count).toBeLessThanOrEqual(2 + keys.length / 100 + 1e-6);
  }));
});

test("keys of the past make room for new ones", () => {
  const table = new BucketTable(2);
  const pace = paceOf({ requestsPerSecond: 1, burst: 1 }, 1);
  for (const key of ["a", "b"]) table.get(key, 0).take(pace, 0);
  const shared = table.get("c", 1);
  expect(table.get("d", 1)).toBe(shared); // nobody's bucket is full again
  expect(table.get("d", 2000)).not.toBe(shared);
  expect(table.size).toBe(2);
});

test("a snapshot that says the same goes on with the same buckets, another one starts anew", () => {
  const limiters = new RateLimiters(1);
  const spec = limit({ total: { requestsPerSecond: 1, burst: 1 } });
  const limiter = limiters.of(80, spec);
  expect(limiters.of(80, structuredClone(spec))).toBe(limiter);
  expect(limiters.of(81, structuredClone(spec))).not.toBe(limiter);
  expect(limiters.of(80, limit({ total: { requestsPerSecond: 2, burst: 1 } }))).not.toBe(limiter);
});
