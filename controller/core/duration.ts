/** Durations as Kubernetes' Gateway API writes them (GEP-2257). */

/** Longest duration that is taken, milliseconds: 30 days; more is a slip of the unit, and timers overflow near 24.8 days of 2^31 ms times two. */
export const MAX_DURATION_MS = 30 * 24 * 3600 * 1000;

const UNIT_MS: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 };

/** What to write, for messages. */
export const DURATION_FORM = "a duration such as 500ms, 10s, 1m30s or 24h";

/** Parses "1h30m", "10s", "500ms". @returns milliseconds, or null when it is no duration or longer than MAX_DURATION_MS */
export function parseDuration(text: string): number | null {
  if (!/^([0-9]{1,7}(h|ms|m|s)){1,4}$/.test(text)) return null;
  let total = 0;
  for (const [, count, unit] of text.matchAll(/([0-9]+)(ms|h|m|s)/g)) {
    total += Number(count) * (UNIT_MS[unit ?? ""] ?? 0);
  }
  return total <= MAX_DURATION_MS ? total : null;
}
