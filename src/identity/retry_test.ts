import { expect, test } from "bun:test";
import { retryDelayMs } from "./retry.ts";

/** When a certificate is asked for until it expires: first at 70 % of its life, and again whenever that fails. */
function tries(lifeMs: number, random: number): number[] {
  const found: number[] = [];
  for (let nowMs = lifeMs * 0.7; nowMs < lifeMs;) {
    found.push(nowMs);
    nowMs += retryDelayMs(found.length, lifeMs - nowMs, random);
  }
  return found;
}

test.each([10_000, 60_000, 300_000, 3_600_000, 86_400_000])(
  "A certificate of %d ms is asked for in the last tenth of its life, and not all the time",
  (lifeMs) => {
    for (const random of [0, 0.5, 0.999]) {
      const all = tries(lifeMs, random);
      expect(all.filter((ms) => ms >= lifeMs * 0.9).length).toBeGreaterThanOrEqual(2);
      expect(lifeMs - (all.at(-1) ?? 0)).toBeLessThanOrEqual(250);
      expect(all.length).toBeLessThan(150 + lifeMs * 0.3 / 15_000);
    }
  },
);

test("retryDelayMs() doubles to half a minute without a certificate, and with one that has long to go", () => {
  for (const leftMs of [0, -1000, 86_400_000]) {
    expect([1, 2, 3, 20].map((failures) => retryDelayMs(failures, leftMs, 0.999))).toEqual([250, 500, 1000, 29_985]);
  }
  expect(retryDelayMs(20, 60_000, 0.999)).toBe(5997);
  expect(retryDelayMs(20, 100, 0.999)).toBe(250);
});
