import { expect, test } from "bun:test";
import { checkRegex } from "./regex.ts";

test.each([
  "/v[0-9]+/.*",
  "(a|b)+",
  "(a+)+",
  "([a-z]+\\.)+",
  "a{2,3}",
  "(?:ab)?c+",
  "[(+]+",
  "\\(a+\\)+",
  "(?P<name>a)b",
  "(?i)web",
  "^/x$",
])("checkRegex() takes %s", (source) => {
  expect(checkRegex(source)).toBe(null);
});

test.each([
  ["(?=a)b", "found"],
  ["(?<!a)b", "found"],
  ["(a)\\1", "found"],
  ["a{2000}", "found"],
  ["(a{99}){99}", "steps once expanded"],
  ["a[]", "want a ']'"], // JavaScript takes it: proxies refused what the controller had sent
  ["(", "want"],
  ["[z-a]", "found"],
  ["a".repeat(1025), "1025 bytes"],
])("checkRegex() refuses %s", (source, reason) => {
  expect(checkRegex(source)).toContain(reason);
});
