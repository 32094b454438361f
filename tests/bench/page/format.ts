/** Figures as people read them. */

/** Three digits that matter: 0.123, 1.23, 12.3, 123, 1,234. A dash for what is not a number. */
export function numberText(value: number): string {
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size >= 100 || value === 0) return Math.round(value).toLocaleString("en-US");
  return value.toFixed(size >= 10 ? 1 : size >= 1 ? 2 : 3);
}

/** A number of things: 7, 1,234. */
export function countText(value: number): string {
  return Number.isFinite(value) ? Math.round(value).toLocaleString("en-US") : "–";
}

/** Microseconds as µs, ms or s. */
export function timeText(us: number): string {
  if (!Number.isFinite(us)) return "–";
  if (us < 1_000) return `${us < 10 ? numberText(us) : Math.round(us)} µs`;
  return us < 1_000_000 ? `${numberText(us / 1_000)} ms` : `${numberText(us / 1_000_000)} s`;
}

/** A round time at an axis, microseconds. */
export function tickText(us: number): string {
  return us < 1_000 ? `${us} µs` : us < 1_000_000 ? `${us / 1_000} ms` : `${us / 1_000_000} s`;
}

/** A ratio: "0.53 ×". */
export function ratioText(value: number): string {
  if (!Number.isFinite(value)) return "–";
  return `${value >= 10 ? value.toFixed(0) : value.toFixed(2)} ×`;
}

/** A rate with its unit, which may be "GB/s" or "requests/s" and so on. */
export function rateText(value: number, unit: string): string {
  return unit === "" ? "" : `${numberText(value)} ${unit}`;
}
