/** Durations as Kubernetes and the Gateway API write them (GEP-2257): "500ms", "10s", "1m30s", "24h". */

/** Longest duration that is taken, milliseconds: 30 days. More is a slip of the unit. */
export const MAX_DURATION_MS = 30 * 24 * 3600 * 1000;

/** What to write, for messages. */
export const DURATION_FORM = "a duration such as 500ms, 10s, 1m30s or 24h";

/** What is taken but for its length, as an expression that RE2 has, too. */
export const DURATION_PATTERN = "^([0-9]{1,7}(h|ms|m|s)){1,4}$";
const DURATION = new RegExp(DURATION_PATTERN);

const UNIT_MS: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 };

/** Parses "1h30m", "10s", "500ms". @returns milliseconds, or null when it is no duration or longer than MAX_DURATION_MS */
export function parseDuration(text: string): number | null {
  if (!DURATION.test(text)) return null;
  let total = 0;
  for (const [, count, unit] of text.matchAll(/([0-9]+)(ms|h|m|s)/g)) {
    total += Number(count) * (UNIT_MS[unit ?? ""] ?? 0);
  }
  return total <= MAX_DURATION_MS ? total : null;
}

/** Writes milliseconds in the same form, exactly: `parseDuration(formatDuration(ms))` is `ms`. @param ms whole, 0 or more */
export function formatDuration(ms: number): string {
  let rest = ms;
  let text = "";
  for (const unit of ["h", "m", "s", "ms"]) {
    const size = UNIT_MS[unit] ?? 1;
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0) text += `${count}${unit}`;
  }
  return text === "" ? "0s" : text;
}
