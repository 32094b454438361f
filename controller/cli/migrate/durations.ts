/** Durations as Go programs write them ("1.5s", "250ms", "1h0m0s") and plain seconds of JSON ("10s", "0.5s"). */

const UNITS: Readonly<Record<string, number>> = {
  h: 3_600_000,
  m: 60_000,
  s: 1000,
  ms: 1,
  us: 1e-3,
  µs: 1e-3,
  ns: 1e-6,
};

/** @returns whole milliseconds, at least 1 for what is more than nothing; null for no duration */
export function goDuration(text: string): number | null {
  if (!/^(\d+(\.\d+)?(h|ms|m|s|us|µs|ns))+$/.test(text)) return null;
  let total = 0;
  for (const [, count, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|us|µs|ns|h|m|s)/g)) {
    total += Number(count) * (UNITS[unit ?? ""] ?? 0);
  }
  return total > 0 ? Math.max(1, Math.round(total)) : 0;
}
