/** Prometheus' text format 0.0.4. */
import type { Family, Registry } from "./registry.ts";

/** Content type of what `renderMetrics` gives. */
export const METRICS_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** All families that have series, in the order of registration; within one, series in the order of their first use. */
export function renderMetrics(registry: Registry): string {
  registry.collect();
  const lines: string[] = [];
  for (const family of registry.families) renderFamily(registry.values, family, lines);
  renderOverflows(registry, lines);
  return lines.join("");
}

function renderFamily(values: Float64Array, family: Family, lines: string[]): void {
  if (family.series.size === 0) return;
  lines.push(`# HELP ${family.name} ${escapeHelp(family.help)}\n# TYPE ${family.name} ${family.kind}\n`);
  for (const [text, { handle }] of family.series) {
    if (family.kind === "histogram") renderHistogram(values, family, text, handle, lines);
    else lines.push(`${family.name}${text === "" ? "" : `{${text}}`} ${formatValue(values[handle] ?? 0)}\n`);
  }
}

function renderHistogram(values: Float64Array, family: Family, text: string, handle: number, lines: string[]): void {
  const { name, bounds } = family;
  const comma = text === "" ? "" : `${text},`;
  let count = 0;
  for (let i = 0; i <= bounds.length; i++) {
    count += values[handle + i] ?? 0;
    const bound = bounds[i];
    lines.push(`${name}_bucket{${comma}le="${bound === undefined ? "+Inf" : formatValue(bound)}"} ${count}\n`);
  }
  const labels = text === "" ? "" : `{${text}}`;
  lines.push(`${name}_sum${labels} ${formatValue(values[handle + bounds.length + 1] ?? 0)}\n`);
  lines.push(`${name}_count${labels} ${count}\n`);
}

function renderOverflows(registry: Registry, lines: string[]): void {
  const name = "tulle_metrics_overflow_total";
  const full = registry.families.filter((family) => family.overflows > 0);
  if (full.length === 0) return;
  lines.push(`# HELP ${name} Times that labels did not fit the budget of a family and were counted together.\n`);
  lines.push(`# TYPE ${name} counter\n`);
  for (const family of full) lines.push(`${name}{family="${family.name}"} ${family.overflows}\n`);
}

function formatValue(value: number): string {
  if (value === Infinity) return "+Inf";
  if (value === -Infinity) return "-Inf";
  return String(value);
}

function escapeHelp(help: string): string {
  return help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}
