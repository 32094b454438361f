import { expect, test } from "bun:test";
import fc from "fast-check";
import { pick } from "./balance_p2c.ts";
import { EndpointBreaker } from "./breaker.ts";
import { PeakEwma } from "./peak_ewma.ts";

const candidate = (load: number, admitted = true, weight = 1, pending = 0) => ({
  weight,
  pending,
  load: () => load / weight,
  admits: () => admitted,
});

test("pick() never picks what is taken out while something else is there", () => {
  fc.assert(
    fc.property(
      fc.array(fc.boolean(), { minLength: 1, maxLength: 8 }),
      fc.infiniteStream(fc.double({ min: 0, max: 0.999, noNaN: true })),
      (up, stream) => {
        const all = up.map((u, i) => candidate(i + 1, u));
        const got = pick(all, 0, () => stream.next().value as number);
        if (up.some((u) => u)) expect(got?.admits()).toBe(true);
        else expect(got).not.toBeNull();
      },
    ),
  );
});

test("pick() gives a slow endpoint a clearly smaller share", () => {
  const fast = [candidate(1), candidate(1)];
  const slow = candidate(50);
  let n = 0;
  for (let i = 0; i < 10_000; i++) if (pick([...fast, slow], 0, Math.random) === slow) n++;
  expect(n).toBe(0); // it loses against either
});

test("pick() gives two that are alike the same share, unless one has more in flight", () => {
  const share = (a: ReturnType<typeof candidate>, b: ReturnType<typeof candidate>) => {
    let n = 0;
    for (let i = 0; i < 2_000; i++) if (pick([a, b], 0, Math.random) === a) n++;
    return n / 2_000;
  };
  expect(share(candidate(10), candidate(19))).toBeWithin(0.4, 0.6);
  expect(share(candidate(10), candidate(21))).toBe(1);
  expect(share(candidate(20, true, 1, 1), candidate(19, true, 1, 0))).toBe(0);
});

test("pick() does not take the excluded one again when another is there", () => {
  const a = candidate(1);
  const b = candidate(100);
  for (let i = 0; i < 100; i++) expect(pick([a, b], 0, Math.random, [a])).toBe(b);
});

test("pick() takes one that was not tried yet when all are taken out", () => {
  const [a, b, c] = [candidate(1, false), candidate(1, false), candidate(1, false)];
  for (let i = 0; i < 100; i++) expect(pick([a, b, c], 0, Math.random, [a, c])).toBe(b);
});

test("PeakEwma rises to a peak at once and comes down with time", () => {
  const ewma = new PeakEwma(30, 10_000, 0);
  expect(ewma.value(0)).toBe(30);
  ewma.observe(5, 0);
  expect(ewma.value(0)).toBe(5);
  ewma.observe(500, 10);
  expect(ewma.value(10)).toBe(500);
  ewma.observe(5, 9_010);
  expect(ewma.value(9_010)).toBeLessThan(220);
  expect(ewma.value(9_010)).toBeGreaterThan(200);
});

test("PeakEwma forgets what is older than its decay once something new is measured", () => {
  const ewma = new PeakEwma(30, 10_000, 0);
  expect(ewma.isKnown(0)).toBe(false);
  ewma.observe(500, 0);
  expect(ewma.isKnown(9_999)).toBe(true);
  expect(ewma.isKnown(10_000)).toBe(false);
  ewma.observe(5, 10_000);
  expect(ewma.value(10_000)).toBe(5);
});

test("EndpointBreaker opens after failures in a row, probes once, and doubles its penalty", () => {
  const breaker = new EndpointBreaker({ consecutiveFailures: 3, minPenaltyMs: 1000, maxPenaltyMs: 60_000 });
  expect([breaker.onFailure(0, 0), breaker.onFailure(0, 0)]).toEqual([false, false]);
  breaker.onSuccess(0, 0, 0);
  expect([breaker.onFailure(0, 0), breaker.onFailure(0, 0), breaker.onFailure(0, 0)]).toEqual([false, false, true]);
  expect(breaker.admits(999)).toBe(false);
  expect(breaker.admits(1000)).toBe(true);
  breaker.onRequest(1000);
  expect(breaker.admits(1000)).toBe(false);
  expect(breaker.onFailure(1000, 0)).toBe(true);
  expect(breaker.admits(2999)).toBe(false);
  expect(breaker.admits(3000)).toBe(true);
  breaker.onRequest(3000);
  breaker.onSuccess(0, 0, 0);
  expect(breaker.admits(3000)).toBe(true);
  expect(breaker.isOpen).toBe(false);
});
