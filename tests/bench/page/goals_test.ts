import { expect, test } from "bun:test";
import { CASES } from "../cases.ts";
import type { Row } from "../rows.ts";
import { boundsOf, compare, geometricMean } from "./goals.ts";
import { rowFixture } from "./row_fixture.ts";

const find = (name: string) => CASES.find((item) => item.name === name) as typeof CASES[number]; // a case of the list
const row = (more: Partial<Row>) => rowFixture({ case: "pair-h1-c32", ...more });

function cpu(proxy: string, value: number, spread = 0): Row {
  const plain = row({ proxy, cpuUs: value });
  return { ...plain, spread: { ...plain.spread, cpuUs: [value - spread, value + spread] } };
}

test.each([
  ["haproxy", 10, 12, 0, "met"],
  ["haproxy", 12, 12, 0, "met"],
  ["haproxy", 13, 12, 0, "missed"],
  ["haproxy", 13, 12, 1, "close"],
  ["envoy", 6, 12, 0, "met"],
])("compare() beside %s: %d against %d, each ± %d … is %s", (peer, own, other, spread, verdict) => {
  const found = compare(find("pair-h1-c32"), [cpu("tulle", own, spread), cpu(peer, other, spread)]);
  expect(found.map((each) => each.verdict as string)).toEqual([verdict]);
});

test("compare() takes p99 of an open loop, and p50 with 10 % of tolerance of a single client", () => {
  const open = compare(find("pair-h1-open"), [
    row({ case: "pair-h1-open", proxy: "tulle", p99Us: 300 }),
    row({ case: "pair-h1-open", proxy: "haproxy", p99Us: 200 }),
  ]);
  expect(open[0]).toMatchObject({ metric: "p99Us", ratio: 1.5 });
  const solo = compare(find("pair-h1-c1"), [
    row({ case: "pair-h1-c1", proxy: "tulle", p50Us: 109 }),
    row({ case: "pair-h1-c1", proxy: "haproxy", p50Us: 100 }),
  ]);
  expect(solo[0]).toMatchObject({ metric: "p50Us", verdict: "met" });
});

test("compare() leaves out the base, and compares two workers with two", () => {
  const rows = [cpu("direct", 1), cpu("tulle", 10), cpu("tulle-w2", 30), cpu("haproxy", 20), cpu("haproxy-w2", 20)];
  expect(compare(find("pair-h1-c32"), rows).map((each) => [each.peer, each.ratio]))
    .toEqual([["haproxy", 0.5], ["haproxy-w2", 1.5]]);
});

test("boundsOf() judges what was measured alone", () => {
  const rows = [row({ case: "idle", rssMb: 40, anonMb: 3 }), row({ case: "ready", p50Us: 90_000 })];
  expect(boundsOf(rows).map((each) => [each.name, each.isMet])).toEqual([
    ["RSS, idle", false],
    ["private memory, idle", true],
    ["ready after exec", true],
  ]);
  expect(boundsOf([])).toEqual([]);
});

test("geometricMean() of a half and a double is 1", () => {
  expect(geometricMean([0.5, 2])).toBeCloseTo(1, 12);
  expect(geometricMean([])).toBeNaN();
});
