/** Rows as a table for people. */
import type { Case } from "./cases.ts";
import { MUCH_NOISE } from "./noise.ts";
import { counterpart } from "./page/goals.ts";
import type { Row } from "./rows.ts";

const COLUMNS = [
  "proxy",
  "rate",
  "cpu µs (A+B)",
  "p50 µs",
  "p99 µs",
  "p99.9 µs",
  "RSS MB",
  "anon MB",
  "busy",
  "noise",
  "failed",
  "tulle's cpu ×",
  "tulle's p99 ×",
];

/** The rows of one case as lines of text, with the ratio of tulle to each other proxy (below 1: tulle is better). */
export function tableOf(item: Case, rows: readonly Row[]): string {
  const cells = rows.map((row) => cellsOf(item, row, rows.find((other) => other.proxy === counterpart(row.proxy))));
  const used = COLUMNS.map((_, at) => cells.some((line) => line[at] !== ""));
  const widths = COLUMNS.map((title, at) => Math.max(title.length, ...cells.map((line) => line[at]?.length ?? 0)));
  const line = (parts: readonly string[]) =>
    parts.map((text, at) => at === 0 ? text.padEnd(widths[at] ?? 0) : text.padStart(widths[at] ?? 0))
      .filter((_, at) => used[at]).join("  ").trimEnd();
  return [
    `${item.name}${item.unit === "GB/s" ? " (cpu per MB)" : ""}: ${item.about}`,
    `  ${line(COLUMNS)}`,
    ...cells.map((cell) => `  ${line(cell)}`),
  ].join("\n");
}

function cellsOf(item: Case, row: Row, tulle: Row | undefined): string[] {
  const isDirect = row.proxy === "direct";
  const compared = tulle !== undefined && row !== tulle && !isDirect;
  const hasCpu = !isDirect && row.cpuUs > 0;
  return [
    row.proxy,
    rateText(row),
    !hasCpu
      ? ""
      : item.shape === "hop"
      ? row.cpuUs.toFixed(1)
      : `${row.cpuUs.toFixed(1)} (${row.cpuUsA.toFixed(1)}+${row.cpuUsB.toFixed(1)})`,
    numberText(row.p50Us),
    numberText(row.p99Us),
    numberText(row.p999Us),
    row.rssMb === 0 ? "" : row.rssMb.toFixed(0),
    row.anonMb === 0 ? "" : row.anonMb.toFixed(1),
    hasCpu ? `${Math.round(row.busy * 100)}%` : "",
    row.others + row.steal >= MUCH_NOISE ? (row.others + row.steal).toFixed(1) : "",
    String(row.failed),
    compared && hasCpu ? ratioText(tulle.cpuUs, row.cpuUs) : "",
    compared ? ratioText(tulle.p99Us, row.p99Us) : "",
  ];
}

function rateText(row: Row): string {
  if (row.unit === "") return "";
  if (row.unit === "connections") return String(row.rate);
  return row.unit === "GB/s" ? `${row.rate.toFixed(3)} GB/s` : `${Math.round(row.rate)}/s`;
}

function numberText(value: number): string {
  return Number.isNaN(value) ? "" : String(value);
}

function ratioText(value: number, base: number): string {
  const ratio = value / base;
  return Number.isFinite(ratio) ? ratio.toFixed(2) : "";
}
