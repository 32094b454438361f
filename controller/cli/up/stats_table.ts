/** The live table as text. */
import type { StatRow } from "./mesh_stats.ts";

const HEAD = ["WORKLOAD", "", "PEER", "ROUTE", "SUCCESS", "RATE", "P50", "P95", "P99", "TLS"];
/** From this column on, numbers are aligned to the right. */
const FIRST_NUMBER = 4;

/**
 * Renders rows in columns.
 *
 * @param width longest line, characters; longer ones are cut
 */
export function renderTable(rows: readonly StatRow[], width: number): string[] {
  const cells = [HEAD, ...rows.map(cellsOf)];
  const widths = HEAD.map((_, column) => Math.max(...cells.map((row) => (row[column] ?? "").length)));
  return cells.map((row) => {
    const line = row.map((cell, column) => {
      const size = widths[column] ?? 0;
      return column >= FIRST_NUMBER ? cell.padStart(size) : cell.padEnd(size);
    });
    return line.join("  ").slice(0, width).trimEnd();
  });
}

function cellsOf(row: StatRow): string[] {
  return [
    row.subject,
    row.direction === "outbound" ? "→" : "←",
    row.peer,
    row.route,
    row.kind === "tcp" ? "tcp" : percent(row.success),
    row.kind === "tcp" ? bytes(row.bytesRate) : `${row.rate.toFixed(1)}/s`,
    milliseconds(row.p50Ms),
    milliseconds(row.p95Ms),
    milliseconds(row.p99Ms),
    row.tls === null ? "-" : `${Math.round(row.tls * 100)}%`,
  ];
}

/** 1 is "100%"; what is not quite 1 never rounds up to it. */
function percent(share: number | null): string {
  if (share === null) return "-";
  if (share === 1) return "100%";
  return `${(Math.floor(share * 1000) / 10).toFixed(1)}%`;
}

function milliseconds(ms: number | null): string {
  if (ms === null) return "-";
  return ms < 10 ? `${ms.toFixed(1)}ms` : `${Math.round(ms)}ms`;
}

function bytes(rate: number): string {
  if (rate < 1000) return `${Math.round(rate)}B/s`;
  if (rate < 1e6) return `${(rate / 1000).toFixed(1)}kB/s`;
  return `${(rate / 1e6).toFixed(1)}MB/s`;
}
