import { expect, test } from "bun:test";
import { checkRegex } from "./regex.ts";

test.each([
  "/v[0-9]+/.*",
  "(a|b)+",
  "a{2,3}",
  "(?:ab)?c+",
  "[(+]+",
  "\\(a+\\)+",
  "(?<name>a)b",
  "(a+)?",
  "^/x$",
  "(a{3}){1}",
])(
  "checkRegex() takes %s",
  (source) => {
    expect(checkRegex(source)).toBe(null);
  },
);

test.each([
  ["(a+)+", "a repeat inside a repeat"],
  ["((a*)b)*", "a repeat inside a repeat"],
  ["([a-z]+\\.)+", "a repeat inside a repeat"],
  ["(a{1,9}){1,9}", "a repeat inside a repeat"],
  ["(?=a)b", "look-around"],
  ["(?<!a)b", "look-around"],
  ["(a)\\1", "a back-reference"],
  ["a{2000}", "a repeat of 2000"],
  ["(", "want a regular expression"],
  ["[z-a]", "want a regular expression"],
  ["a".repeat(1025), "found 1025 characters"],
])("checkRegex() refuses %s", (source, reason) => {
  expect(checkRegex(source)).toContain(reason);
});
