import { expect, test } from "bun:test";
import fc from "fast-check";
import { formatDuration, MAX_DURATION_MS, parseDuration } from "./duration.ts";

test.each([
  ["500ms", 500],
  ["10s", 10_000],
  ["1m30s", 90_000],
  ["1h", 3_600_000],
  ["24h", 86_400_000],
  ["0s", 0],
  ["1m1ms", 60_001],
])("parseDuration() reads %s", (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

test.each([
  ["", "nothing"],
  ["10", "no unit"],
  ["-1s", "negative"],
  ["1.5s", "fractions are not in GEP-2257"],
  ["1d", "no such unit"],
  ["721h", "above the longest"],
  ["1s1s1s1s1s", "more than four parts"],
  ["10 s", "blank"],
])("parseDuration() refuses %p: %s", (text) => {
  expect(parseDuration(text)).toBeNull();
});

test("formatDuration() writes what parseDuration() reads back", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: MAX_DURATION_MS }), (ms) => parseDuration(formatDuration(ms)) === ms),
  );
});

test("parseDuration() gives a value or null for any text", () => {
  fc.assert(fc.property(fc.string(), (text) => {
    const ms = parseDuration(text);
    return ms === null || (Number.isInteger(ms) && ms >= 0);
  }));
});
