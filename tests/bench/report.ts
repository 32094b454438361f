/** Results as rows, as JSON for scripts, and as a table for people. */
import { cpus, loadavg, release, totalmem } from "node:os";
import type { Case } from "./cases.ts";
import { median } from "./load/result.ts";
import type { Measurement } from "./measure.ts";

export interface Row {
  readonly case: string;
  readonly proxy: string;
  readonly unit: string;
  readonly rate: number;
  /** Both sides together. */
  readonly cpuUs: number;
  readonly cpuUsA: number;
  readonly cpuUsB: number;
  readonly p50Us: number;
  readonly p99Us: number;
  /** Memory of one proxy; of a pair, of the one with more. */
  readonly rssMb: number;
  readonly anonMb: number;
  readonly failed: number;
  readonly busy: number;
  readonly rounds: number;
}

export interface Report {
  readonly machine: string;
  readonly date: string;
  /** Load average when the run began: above 1, times are not comparable with other runs. */
  readonly loadAverage: number;
  readonly rows: readonly Row[];
}

/** Medians over the rounds; failures are summed. */
export function rowOf(item: Case, proxy: string, rounds: readonly Measurement[]): Row {
  const of = (read: (one: Measurement) => number, digits: number) => Number(median(rounds.map(read)).toFixed(digits));
  const cpuUsA = of((one) => one.cpuUsA, 2);
  const cpuUsB = of((one) => one.cpuUsB, 2);
  return {
    case: item.name,
    proxy,
    unit: item.unit,
    rate: of((one) => one.rate, 3),
    cpuUs: of((one) => one.cpuUsA + one.cpuUsB, 2),
    cpuUsA,
    cpuUsB,
    p50Us: of((one) => one.p50Us, 0),
    p99Us: of((one) => one.p99Us, 0),
    rssMb: of((one) => one.rssMb, 1),
    anonMb: of((one) => one.anonMb, 1),
    failed: rounds.reduce((sum, one) => sum + one.failed, 0),
    busy: of((one) => one.busy, 2),
    rounds: rounds.length,
  };
}

export function machineText(): string {
  const all = cpus();
  return `${all[0]?.model.trim() ?? "unknown"} × ${all.length}, ${
    Math.round(totalmem() / 2 ** 30)
  } GiB, Linux ${release()}, Bun ${Bun.version}`;
}

export function loadAverage(): number {
  return Number((loadavg()[0] ?? 0).toFixed(2));
}

const COLUMNS = [
  "proxy",
  "rate",
  "cpu µs (A+B)",
  "p50 µs",
  "p99 µs",
  "RSS MB",
  "anon MB",
  "busy",
  "failed",
  "tulle's cpu ×",
  "tulle's p99 ×",
];

/** The rows of one case as lines of text, with the ratio of tulle to each other proxy (below 1: tulle is better). */
export function tableOf(item: Case, rows: readonly Row[]): string {
  const tulle = rows.find((row) => row.proxy === "tulle");
  const cells = rows.map((row) => {
    const compared = tulle !== undefined && row !== tulle && row.proxy !== "direct";
    return [
      row.proxy,
      rateText(row),
      row.proxy === "direct"
        ? ""
        : item.shape === "hop"
        ? row.cpuUs.toFixed(1)
        : `${row.cpuUs.toFixed(1)} (${row.cpuUsA.toFixed(1)}+${row.cpuUsB.toFixed(1)})`,
      numberText(row.p50Us),
      numberText(row.p99Us),
      row.proxy === "direct" ? "" : row.rssMb.toFixed(0),
      row.proxy === "direct" ? "" : row.anonMb.toFixed(1),
      row.proxy === "direct" ? "" : `${Math.round(row.busy * 100)}%`,
      String(row.failed),
      compared ? ratioText(tulle.cpuUs, row.cpuUs) : "",
      compared ? ratioText(tulle.p99Us, row.p99Us) : "",
    ];
  });
  const widths = COLUMNS.map((title, at) => Math.max(title.length, ...cells.map((line) => line[at]?.length ?? 0)));
  const line = (parts: readonly string[]) =>
    parts.map((text, at) => at === 0 ? text.padEnd(widths[at] ?? 0) : text.padStart(widths[at] ?? 0)).join("  ")
      .trimEnd();
  return [
    `${item.name}${item.unit === "GB/s" ? " (cpu per MB)" : ""}`,
    `  ${line(COLUMNS)}`,
    ...cells.map((cell) => `  ${line(cell)}`),
  ].join("\n");
}

function rateText(row: Row): string {
  if (row.unit === "") return "";
  return row.unit === "GB/s" ? `${row.rate.toFixed(3)} GB/s` : `${Math.round(row.rate)}/s`;
}

function numberText(value: number): string {
  return Number.isNaN(value) ? "" : String(value);
}

function ratioText(value: number, base: number): string {
  const ratio = value / base;
  return Number.isFinite(ratio) ? ratio.toFixed(2) : "";
}
