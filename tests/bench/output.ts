/** Files that a run leaves behind: the result as JSON, and the page. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { CASES } from "./cases.ts";
import type { BenchOptions } from "./options.ts";
import { readExtras } from "./page/inputs.ts";
import { pageOf } from "./page/page.ts";
import type { Report, Row } from "./rows.ts";

const ROOT = join(import.meta.dirname, "..", "..");

export function writeReport(file: string, report: Report): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, JSON.stringify(report, null, 1) + "\n");
}

/** Writes the page, if one is wanted, and says where it is. */
export function writePage(options: BenchOptions, report: Report, say: (line: string) => void): void {
  if (options.html === null) return;
  const extras = readExtras(options.inputs, ROOT);
  for (const problem of extras.problems) say(`not on the page: ${problem}`);
  mkdirSync(dirname(options.html), { recursive: true });
  writeFileSync(options.html, pageOf(report, CASES, extras));
  say(`page: ${options.html}`);
}

/** The page of an earlier result. @returns exit status */
export function rewritePage(options: BenchOptions, file: string, say: (line: string) => void): number {
  try {
    writePage(options, parseReport(readFileSync(file, "utf8")), say);
    return 0;
  } catch (cause) {
    say(`bench: cannot make a page of ${file}: ${cause instanceof Error ? cause.message : String(cause)}`);
    return 1;
  }
}

/** A result that the bench wrote; null stands for NaN there. */
export function parseReport(text: string): Report {
  const report = JSON.parse(text) as Report; // checked below as far as it matters
  if (!Array.isArray(report.rows)) throw new Error('want an object with a list "rows"');
  if (report.rows.some((row) => row.spread === undefined)) throw new Error("written by an older bench: measure again");
  const number = (value: number | null) => value ?? NaN;
  return {
    ...report,
    rows: report.rows.map((row): Row => ({
      ...row,
      p50Us: number(row.p50Us),
      p99Us: number(row.p99Us),
      p999Us: number(row.p999Us),
      spread: {
        ...row.spread,
        p50Us: [number(row.spread.p50Us[0]), number(row.spread.p50Us[1])],
        p99Us: [number(row.spread.p99Us[0]), number(row.spread.p99Us[1])],
      },
    })),
  };
}
