import { expect, test } from "bun:test";
import { latencyOf, median, percentile, SHARES } from "./result.ts";

test("latencyOf() reads percentiles of any order, and the curve at SHARES", () => {
  const latency = latencyOf(Float64Array.from({ length: 1000 }, (_, at) => 1000 - at));
  expect([latency.p50Us, latency.p99Us, latency.p999Us]).toEqual([501, 991, 1000]);
  expect(latency.curveUs.length).toBe(SHARES.length);
  expect(latency.curveUs.at(-1)).toBe(1000);
});

test("latencyOf() of nothing is no latency", () => {
  expect(latencyOf(new Float64Array(0))).toEqual({ p50Us: NaN, p99Us: NaN, p999Us: NaN, curveUs: [] });
});

test("percentile() is the last value at most", () => {
  expect(percentile(Float64Array.of(1, 2), 1)).toBe(2);
});

test("median() ignores what is not a number", () => {
  expect([median([3, NaN, 1]), median([5]), median([])]).toEqual([2, 5, NaN]);
});
