import { expect, test } from "bun:test";
import fc from "fast-check";
import { bucketIndex, LATENCY_MS_BOUNDS } from "./histogram.ts";
import { labelText, MAX_LABEL_CHARS } from "./labels.ts";
import { Registry } from "./registry.ts";
import { renderMetrics } from "./render.ts";

test("LATENCY_MS_BOUNDS are Linkerd's", () => {
  const linkerd = "1,2,3,4,5,10,20,30,40,50,100,200,300,400,500,1000,2000,3000,4000,5000,10000,20000,30000,40000,50000";
  expect(LATENCY_MS_BOUNDS.join()).toBe(linkerd);
});

test("bucketIndex() gives the first bound that is not below the value", () => {
  fc.assert(fc.property(fc.double({ min: 0, max: 60_000, noNaN: true }), (value) => {
    const linear = LATENCY_MS_BOUNDS.findIndex((bound) => value <= bound);
    return bucketIndex(LATENCY_MS_BOUNDS, value) === (linear < 0 ? LATENCY_MS_BOUNDS.length : linear);
  }));
});

test("renderMetrics() writes buckets cumulatively, with sum and count", () => {
  const registry = new Registry();
  const family = registry.histogram("h_seconds", "H.", [0.1, 1]);
  const handle = registry.open(family, [["a", "b"]]);
  for (const value of [0.1, 0.5, 0.5, 7]) registry.observe(handle, family.bounds, value);
  expect(renderMetrics(registry).split("\n").slice(2)).toEqual([
    'h_seconds_bucket{a="b",le="0.1"} 1',
    'h_seconds_bucket{a="b",le="1"} 3',
    'h_seconds_bucket{a="b",le="+Inf"} 4',
    'h_seconds_sum{a="b"} 8.1',
    'h_seconds_count{a="b"} 4',
    "",
  ]);
});

test.each([
  ['a"b', 'x="a\\"b"', "quote"],
  ["a\\b", 'x="a\\\\b"', "backslash"],
  ["a\nb", 'x="a\\nb"', "line feed"],
  ["a\u0000b", 'x="a\ufffdb"', "control"],
  ["\ud800", 'x="\ufffd"', "lone surrogate, which UTF-8 cannot carry"],
  ["ä€😀", 'x="ä€😀"', "UTF-8 as it is"],
  ["", "", "empty is no label"],
])("labelText() writes %p as %s: %s", (value, expected) => {
  expect(labelText([["x", value]])).toBe(expected);
});

test("labelText() cuts values that are longer than any honest one", () => {
  expect(labelText([["x", "a".repeat(10_000)]])).toBe(`x="${"a".repeat(MAX_LABEL_CHARS)}"`);
});

test("labelText() never breaks the line or the quotes", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (value) => {
    const text = labelText([["x", value]]);
    return text === "" || /^x="([^"\\\n]|\\[\\"n])*"$/u.test(text);
  }));
});
