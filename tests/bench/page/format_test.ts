import { expect, test } from "bun:test";
import { countText, numberText, rateText, ratioText, timeText } from "./format.ts";

test.each([
  [0, "0"],
  [7, "7.00"],
  [0.1234, "0.123"],
  [1.234, "1.23"],
  [12.34, "12.3"],
  [123.4, "123"],
  [12_345, "12,345"],
  [-0.5, "-0.500"],
  [NaN, "–"],
  [Infinity, "–"],
])("numberText(%d) is %s", (value, text) => expect(numberText(value)).toBe(text));

test("countText() is whole", () =>
  expect([countText(7), countText(1e5), countText(NaN)]).toEqual(["7", "100,000", "–"]));

test("timeText() takes the unit that fits", () => {
  expect([timeText(87), timeText(1540), timeText(2.5e6), timeText(NaN)]).toEqual(["87 µs", "1.54 ms", "2.50 s", "–"]);
});

test("ratioText() and rateText()", () => {
  expect([ratioText(0.5), ratioText(12.3), ratioText(NaN)]).toEqual(["0.50 ×", "12 ×", "–"]);
  expect([rateText(1234.5, "requests/s"), rateText(5, "")]).toEqual(["1,235 requests/s", ""]);
});
