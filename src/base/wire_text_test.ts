import { expect, test } from "bun:test";
import { toWire, toWirePath } from "./wire_text.ts";

test("toWire() gives one character per UTF-8 byte", () => {
  expect([toWire("abc"), toWire("é")]).toEqual(["abc", "\xc3\xa9"]);
});

test("toWirePath() percent-encodes what is beyond ASCII and nothing else", () => {
  expect(toWirePath("/a b/é%2f")).toBe("/a b/%C3%A9%2f");
});
