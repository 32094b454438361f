import { expect, test } from "bun:test";
import { CASES } from "./cases.ts";
import { type BenchOptions, parseOptions } from "./options.ts";
import { durationText, plannedMs, remainingMs } from "./plan.ts";

test("plannedMs() counts runs, waits once for all, and starts once for a group", () => {
  const options = parseOptions(["--proxies", "tulle,haproxy"], CASES) as BenchOptions; // well-formed
  const planned = plannedMs(options, CASES.filter((item) => ["idle", "pair-h1-1000rps"].includes(item.name)));
  expect(planned[0]).toBeWithin(60_000, 65_000);
  expect(planned[1]).toBeWithin(2 * 61_000, 2 * 62_000);
});

test("remainingMs() stretches the plan by what the steps so far took", () => {
  expect(remainingMs([10, 20, 30], 0, 0)).toBe(60);
  expect(remainingMs([10, 20, 30], 1, 20)).toBe(100);
  expect(remainingMs([10, 20, 30], 3, 60)).toBe(0);
  expect(remainingMs([], 0, 0)).toBe(0);
});

test("durationText() counts in minutes from 100 s", () => {
  expect([durationText(0), durationText(99_400), durationText(100_000), durationText(600_000)])
    .toEqual(["0 s", "99 s", "2 min", "10 min"]);
});
