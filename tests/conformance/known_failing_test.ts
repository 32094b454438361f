import { expect, test } from "bun:test";
import { compareWithKnown, parseKnownFailing } from "./known_failing.ts";

test("parseKnownFailing() reads names and reasons, and skips remarks", () => {
  const known = parseKnownFailing("# remark\n\nhttp2/3.5 Sends x # the port answers HTTP/1 too\n");
  expect([...known]).toEqual([["http2/3.5 Sends x", "the port answers HTTP/1 too"]]);
});

test("parseKnownFailing() refuses a case without a reason", () => {
  expect(() => parseKnownFailing("http2/3.5 Sends x\n")).toThrow("no reason");
});

test("compareWithKnown() names what newly fails and what no longer does", () => {
  const known = new Map([["a", "r"], ["b", "r"]]);
  expect(compareWithKnown(known, [{ name: "a", detail: "" }, { name: "c", detail: "d" }])).toEqual([
    "fails: c: d",
    "passes now, take it off the list: b",
  ]);
});
