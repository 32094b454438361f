import { expect, test } from "bun:test";
import { linearScale, logScale } from "./scale.ts";

test("linearScale() begins at 0 and ends at a round value not below the most", () => {
  const scale = linearScale(87, 0, 100);
  expect(scale.ticks).toEqual([0, 25, 50, 75, 100]);
  expect([scale.at(0), scale.at(50), scale.at(100)]).toEqual([0, 50, 100]);
});

test.each([0.003, 0.7, 1, 9.99, 1234, 5e6])("linearScale() holds %d within few ticks", (most) => {
  const { at, ticks } = linearScale(most, 0, 1);
  expect(ticks.at(-1)).toBeGreaterThanOrEqual(most);
  expect(at(most)).toBeGreaterThan(0.5);
  expect(ticks.length).toBeWithin(3, 7);
});

test("scales keep what is beyond their ends at the end", () => {
  expect(linearScale(10, 0, 100).at(-5)).toBe(0);
  expect(linearScale(10, 0, 100).at(1e9)).toBe(100);
  expect(logScale(10, 100, 0, 100).at(1)).toBe(0);
});

test("logScale() has ticks at 1, 2 and 5 around the values, and equal factors are equal distances", () => {
  const scale = logScale(130, 4800, 0, 100);
  expect(scale.ticks).toEqual([100, 200, 500, 1000, 2000, 5000]);
  expect([scale.at(100), scale.at(5000)]).toEqual([0, 100]);
  expect(scale.at(1000) - scale.at(500)).toBeCloseTo(scale.at(200) - scale.at(100), 9);
});

test("scales of nothing are scales all the same", () => {
  expect(linearScale(0, 0, 1).ticks.length).toBeGreaterThan(1);
  expect(logScale(Infinity, -Infinity, 0, 1).at(5)).toBeWithin(0, 1);
  expect(logScale(3, 3, 0, 1).at(3)).toBeWithin(0, 1);
});
