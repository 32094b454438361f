import { expect, test } from "bun:test";
import { suggest } from "./suggest.ts";

const WORDS = ["proxy", "controller", "up", "stat", "identity", "version"];

test.each([
  ["prxy", "proxy", "one letter missing"],
  ["stats", "stat", "one letter too many"],
  ["cont", "controller", "the start of it"],
  ["verison", "version", "two letters exchanged"],
])("suggest() for %p gives %p: %s", (typed, word) => {
  expect(suggest(typed, WORDS)).toBe(word);
});

test("suggest() gives null when nothing is near", () => {
  expect(suggest("install", WORDS)).toBeNull();
});

test("suggest() takes of two that are as near the one that begins alike", () => {
  expect(suggest("wbe", ["db", "web"])).toBe("web");
});
