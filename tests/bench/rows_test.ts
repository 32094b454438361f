import { expect, test } from "bun:test";
import { CASES } from "./cases.ts";
import type { Measurement } from "./measure.ts";
import { rowOf } from "./rows.ts";
import { tableOf } from "./table.ts";

const item = CASES.find((each) => each.name === "pair-h1-c32") as typeof CASES[number]; // a case of the list

function measurement(more: Partial<Measurement>): Measurement {
  return {
    rate: 100,
    cpuUsA: 5,
    cpuUsB: 5,
    p50Us: 50,
    p99Us: 90,
    p999Us: 99,
    curveUs: [50, 90],
    rssMb: 20,
    anonMb: 4,
    failed: 0,
    busy: 0.5,
    others: 0,
    steal: 0,
    ...more,
  };
}

test("rowOf() takes medians, the range of the rounds, all failures and the worst noise", () => {
  const row = rowOf(item, "tulle", [
    measurement({ cpuUsA: 4, cpuUsB: 4, failed: 1, curveUs: [40, 80] }),
    measurement({ cpuUsA: 9, cpuUsB: 9, others: 0.4, failed: 2, curveUs: [60, 100] }),
    measurement({ cpuUsA: 5, cpuUsB: 6 }),
  ]);
  expect(row).toMatchObject({ cpuUs: 11, failed: 3, others: 0.4, rounds: 3, curveUs: [50, 90], p999Us: 99 });
  expect(row.spread.cpuUs).toEqual([8, 18]);
});

test("rowOf() leaves NaN where a load has no latency, which JSON writes as null", () => {
  const row = rowOf(item, "tulle", [measurement({ p50Us: NaN, p99Us: NaN, p999Us: NaN, curveUs: [] })]);
  expect(row.p99Us).toBeNaN();
  expect(row.spread.p99Us).toEqual([NaN, NaN]);
  expect(JSON.parse(JSON.stringify(row)).p99Us).toBeNull();
});

test("tableOf() compares tulle with each peer, a pair of workers with tulle's two workers", () => {
  const rows = [
    rowOf(item, "direct", [measurement({ cpuUsA: 0, cpuUsB: 0, rssMb: 0, anonMb: 0 })]),
    rowOf(item, "tulle", [measurement({})]),
    rowOf(item, "haproxy", [measurement({ cpuUsA: 10, cpuUsB: 10 })]),
    rowOf(item, "tulle-w2", [measurement({ cpuUsA: 8, cpuUsB: 8 })]),
    rowOf(item, "envoy-w2", [measurement({ cpuUsA: 32, cpuUsB: 32 })]),
  ];
  const lines = tableOf(item, rows).split("\n");
  expect(lines.find((line) => line.includes("haproxy"))).toMatch(/ 0\.50 +1\.00$/);
  expect(lines.find((line) => line.includes("envoy-w2"))).toMatch(/ 0\.25 +1\.00$/);
  expect(lines.find((line) => line.includes("direct"))).toMatch(/ 0$/);
});
