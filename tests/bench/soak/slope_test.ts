import { expect, test } from "bun:test";
import { theilSen } from "./slope.ts";

test("theilSen() is the slope of a line", () => {
  expect(theilSen([[0, 5], [1, 7], [2, 9]])).toBe(2);
  expect(theilSen([[0, 5]])).toBeNaN();
});

test("theilSen() sees a trend under the saw teeth of a collector, and none where there is none", () => {
  const teeth = (at: number) => at % 17;
  const series = (slope: number) =>
    Array.from({ length: 400 }, (_, at): [number, number] => [at, teeth(at) + slope * at]);
  expect(Math.abs(theilSen(series(0)))).toBeLessThan(0.002);
  expect(theilSen(series(0.1))).toBeCloseTo(0.1, 2);
});

test("theilSen() is not moved by a burst", () => {
  const points = Array.from({ length: 300 }, (_, at): [number, number] => [at, at > 200 && at < 260 ? 1_000 : 20]);
  expect(theilSen(points)).toBe(0);
});

test("theilSen() takes a day of seconds", () => {
  expect(theilSen(Array.from({ length: 86_400 }, (_, at): [number, number] => [at, at / 2]))).toBe(0.5);
});
