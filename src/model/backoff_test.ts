import { expect, test } from "bun:test";
import { backoffMs } from "./backoff.ts";

test("backoffMs() doubles up to the limit, and spreads over half of the step", () => {
  const limits = { firstMs: 100, maxMs: 1000 };
  expect([1, 2, 3, 4, 5, 99].map((n) => backoffMs(limits, n, 1))).toEqual([100, 200, 400, 800, 1000, 1000]);
  expect([1, 2, 99].map((n) => backoffMs(limits, n, 0))).toEqual([50, 100, 500]);
});
