import { expect, test } from "bun:test";
import fc from "fast-check";
import { ConcurrencyLimit } from "./concurrency_limit.ts";

test("a fixed limit stays what it is", () => {
  const limit = new ConcurrencyLimit({ limit: 7, min: 0, max: 0 });
  for (let i = 0; i < 100; i++) limit.onAnswer(i * 100, i % 2 === 0, 7, i);
  expect(limit.limit).toBe(7);
});

test("an adaptive limit stays within its bounds whatever happens", () => {
  const answer = fc.record({
    latencyMs: fc.double({ min: 0, max: 10_000, noNaN: true }),
    failed: fc.boolean(),
    underWay: fc.nat(1000),
    gapMs: fc.nat(5000),
  });
  fc.assert(fc.property(fc.array(answer, { maxLength: 200 }), (answers) => {
    const limit = new ConcurrencyLimit({ limit: 20, min: 3, max: 50 });
    let now = 0;
    for (const { latencyMs, failed, underWay, gapMs } of answers) {
      now += gapMs;
      limit.onAnswer(latencyMs, failed, underWay, now);
      expect(limit.limit).toBeGreaterThanOrEqual(3);
      expect(limit.limit).toBeLessThanOrEqual(50);
    }
  }));
});

/** A server that works on `width` requests at once, 10 ms each, with the limit's number of requests always under way. */
function settle(width: number, rounds = 20_000): number {
  const limit = new ConcurrencyLimit({ limit: 20, min: 1, max: 1000 });
  limit.onAnswer(10, false, 1, 0);
  let now = 0;
  for (let i = 0; i < rounds; i++) {
    const underWay = limit.limit;
    now += 10 / Math.min(width, underWay);
    limit.onAnswer(10 * Math.max(1, underWay / width), false, underWay, now);
  }
  return limit.limit;
}

test("an adaptive limit finds about what the server can do, with a queue no longer than twice that", () => {
  for (const width of [5, 30, 100]) {
    const found = settle(width);
    expect(found).toBeGreaterThanOrEqual(width);
    expect(found).toBeLessThanOrEqual(2 * width + 1);
  }
});

test("a limit that is not used up does not grow", () => {
  const limit = new ConcurrencyLimit({ limit: 20, min: 1, max: 1000 });
  for (let i = 0; i < 1000; i++) limit.onAnswer(10, false, 3, i * 10);
  expect(limit.limit).toBe(20);
});

test("a burst of late answers counts once", () => {
  const limit = new ConcurrencyLimit({ limit: 100, min: 1, max: 1000 });
  limit.onAnswer(10, false, 1, 0);
  for (let i = 0; i < 50; i++) limit.onAnswer(200, false, 100, 200);
  expect(limit.limit).toBe(90);
});
