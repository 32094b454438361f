import { expect, test } from "bun:test";
import { errorText, UsageError } from "./error.ts";

test.each([
  [new Error("a\n  b"), "a b"],
  [new UsageError("no such face"), "no such face"],
  [new TypeError(""), "TypeError"],
  ["text", "text"],
  [null, "null"],
])("errorText() gives one line for %p", (thrown, expected) => {
  expect(errorText(thrown)).toBe(expected);
});
