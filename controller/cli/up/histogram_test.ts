import { expect, test } from "bun:test";
import { histogramOf, quantile } from "./histogram.ts";

const HISTOGRAM = histogramOf(new Map([[10, 90], [1, 50], [Infinity, 100], [100, 99]]));

test.each([
  [0.25, 0.5],
  [0.5, 1],
  [0.7, 5.5],
  [0.99, 100],
  [0.999, 100],
])("quantile() interpolates at %d", (share, value) => {
  expect(quantile(HISTOGRAM, share)).toBeCloseTo(value, 6);
});

test("quantile() is null without observations", () => {
  expect(quantile(histogramOf(new Map([[1, 0], [Infinity, 0]])), 0.5)).toBeNull();
  expect(quantile(histogramOf(new Map()), 0.5)).toBeNull();
});
