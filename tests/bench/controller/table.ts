/** Rows as a table for people. */
import type { Row } from "./cases.ts";

const COLUMNS = ["case", "ms", "p50 ms", "p99 ms", "max ms", "cpu ms", "busy", "bytes", "RSS MB", "anon MB", ""];

/** The rows as lines of text. */
export function tableOf(rows: readonly Row[]): string {
  const lines = [COLUMNS, ...rows.map(cellsOf)];
  const widths = COLUMNS.map((_, at) => Math.max(...lines.map((line) => line[at]?.length ?? 0)));
  const pad = (text: string, at: number) => {
    const isText = at === 0 || at === COLUMNS.length - 1;
    return isText ? text.padEnd(widths[at] ?? 0) : text.padStart(widths[at] ?? 0);
  };
  return lines.map((line) => line.map(pad).join("  ").trimEnd()).join("\n");
}

function cellsOf(row: Row): string[] {
  return [
    row.case,
    number(row.ms, 0),
    number(row.p50Ms, 1),
    number(row.p99Ms, 1),
    number(row.maxMs, 1),
    number(row.cpuMs, 1),
    Number.isNaN(row.cpuShare) ? "" : `${Math.round(row.cpuShare * 100)}%`,
    number(row.bytesPerPush, 0),
    number(row.rssMb, 0),
    number(row.anonMb, 1),
    row.about,
  ];
}

function number(value: number, digits: number): string {
  return Number.isNaN(value) ? "" : value.toFixed(digits);
}
