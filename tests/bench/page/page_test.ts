import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CASES } from "../cases.ts";
import { parseReport } from "../output.ts";
import type { Report, Row } from "../rows.ts";
import { type Extras, parseAttacks, parseSoak, parseSuites, readExtras } from "./inputs.ts";
import { pageOf } from "./page.ts";
import { rowFixture } from "./row_fixture.ts";

const NO_EXTRAS: Extras = { attacks: [], faults: [], soak: null, suites: [], problems: [] };

/** A page is too long to be printed by a failing assertion. */
function has(page: string, text: string): void {
  expect([text, page.includes(text)]).toEqual([text, true]);
}

function hasNot(page: string, text: string | RegExp): void {
  expect([text, page.search(text) >= 0]).toEqual([text, false]);
}

function report(rows: readonly Row[]): Report {
  return { machine: "<m>", date: "2026-01-02T03:04:05Z", version: "v", loadAverage: 0, rounds: 3, runMs: 1, rows };
}

function everyCase(more: Partial<Row> = {}): Row[] {
  const proxies = ["direct", "tulle", "haproxy", "tulle-w2", "haproxy-w2"];
  return CASES.flatMap((item) =>
    proxies.map((proxy) => rowFixture({ case: item.name, proxy, unit: item.unit, ...more }))
  );
}

test("pageOf() has every case, and nothing from elsewhere", () => {
  const page = pageOf(report(everyCase()), CASES, NO_EXTRAS);
  for (const item of CASES) has(page, item.name);
  hasNot(page, /<script|<link|src=|@import|url\(|https?:/);
  hasNot(page, "<m>");
  hasNot(page, /NaN|undefined|Infinity|\[object/);
});

test("pageOf() of no rows, and of rows without latency, is a page", () => {
  for (const rows of [[], everyCase({ p50Us: NaN, p99Us: NaN, p999Us: NaN, curveUs: [] })]) {
    const page = pageOf(report(rows), CASES, NO_EXTRAS);
    has(page, "</html>");
    hasNot(page, /NaN|undefined|Infinity/);
  }
});

test("pageOf() names failures and noise", () => {
  const page = pageOf(report(everyCase({ failed: 7, others: 0.6 })), CASES, NO_EXTRAS);
  has(page, "haproxy failed 7 times");
  has(page, 'class="bad"');
  has(page, "The machine was busy");
  hasNot(pageOf(report(everyCase()), CASES, NO_EXTRAS), "The machine was busy");
});

test("pageOf() shows what other tools found", () => {
  const extras: Extras = {
    attacks: [{ attack: "rapid <reset>", bound: 20, measured: "3 MB", othersP99Ms: 4, ok: true }],
    faults: [{ fault: "kill -9", requests: 100_000, failed: 0, retried: NaN, note: "", ok: true }],
    soak: {
      samples: [0, 60, 120].map((t) => ({ t, proxy: "tulle", rssMb: 40 + t / 100, anonMb: 5, fds: 30 })),
      slopeMbPerHour: { tulle: 0.2 },
    },
    suites: [{ suite: "h2spec", version: "2.2", passed: 146, failed: 0, skipped: 0, failures: [] }],
    problems: ["faults.json: no"],
  };
  const page = pageOf(report([]), CASES, extras);
  for (
    const text of ["rapid &#60;reset&#62;", "20.0 MB", "100,000", "h2spec", "146", "+0.200 MB/h", "faults.json: no"]
  ) {
    has(page, text);
  }
  hasNot(page, /NaN/);
});

test("readExtras() finds the files of a folder, and says which it cannot read", () => {
  const root = mkdtempSync(join(tmpdir(), "tulle-page-"));
  try {
    const bad = join(root, "bad.json");
    writeFileSync(bad, '{"rows": 3}');
    const extras = readExtras({ attacks: bad, faults: join(root, "none.json"), soak: null, conformance: null }, root);
    expect(extras).toMatchObject({ attacks: [], faults: [], soak: null, suites: [] });
    expect(extras.problems.map((line) => line.split(":")[0])).toEqual([bad, join(root, "none.json")]);
    expect(readExtras({ attacks: null, faults: null, soak: null, conformance: null }, root).problems).toEqual([]);
  } finally {
    rmSync(root, { recursive: true });
  }
});

test("results of other tools are checked where they are read", () => {
  expect(() => parseAttacks([])).toThrow("want an object");
  expect(() => parseAttacks({ rows: [{ attack: 3 }] })).toThrow('want a text "attack"');
  expect(parseSoak({ samples: [] })).toEqual({ samples: [], slopeMbPerHour: {} });
  expect(parseSuites([{ suite: "a", passed: 1, failed: 0, skipped: 0 }])[0]?.failures).toEqual([]);
});

test("parseReport() reads back what was written", () => {
  const written = report([rowFixture({ p99Us: NaN })]);
  expect(parseReport(JSON.stringify(written))).toEqual(written);
  expect(() => parseReport('{"rows": [{}]}')).toThrow("older bench");
  expect(() => parseReport("{}")).toThrow('a list "rows"');
});
