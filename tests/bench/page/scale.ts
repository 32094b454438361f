/** From values to places of a plot, and the round values that its axis names. */

export interface Scale {
  /** Place of a value, in the units of the plot; values beyond the ends are put at the end. */
  at(value: number): number;
  readonly ticks: readonly number[];
}

/** Linear from 0 to at least `most`, over [from, to]. Of nothing (0 or less) an axis to 1. */
export function linearScale(most: number, from: number, to: number, count = 4): Scale {
  const step = niceStep((most > 0 ? most : 1) / count);
  const end = Math.ceil((most > 0 ? most : 1) / step - 1e-9) * step;
  const ticks: number[] = [];
  for (let index = 0; index * step <= end * (1 + 1e-9); index++) ticks.push(Number((index * step).toPrecision(12)));
  return { at: (value) => from + (clamp(value, 0, end) / end) * (to - from), ticks };
}

/** Logarithmic over whole decades around [least, most], both above 0; ticks at 1, 2 and 5 of each. */
export function logScale(least: number, most: number, from: number, to: number): Scale {
  const low = least > 0 && Number.isFinite(least) ? least : 1;
  const high = most > low ? most : low * 10;
  const ticks: number[] = [];
  for (let decade = Math.floor(Math.log10(low)); decade <= Math.ceil(Math.log10(high)); decade++) {
    for (const digit of [1, 2, 5]) ticks.push(Number((digit * 10 ** decade).toPrecision(6)));
  }
  const first = ticks.findLastIndex((tick) => tick <= low);
  const last = ticks.findIndex((tick) => tick >= high);
  const used = ticks.slice(first, last + 1);
  const [start = low, end = high] = [used[0], used.at(-1)];
  const span = Math.log(end / start);
  return { at: (value) => from + (Math.log(clamp(value, start, end) / start) / span) * (to - from), ticks: used };
}

/** Smallest of 1, 2, 2.5, 5 and 10 times a power of ten that is not below `wanted`. */
function niceStep(wanted: number): number {
  const power = 10 ** Math.floor(Math.log10(wanted));
  return power * ([1, 2, 2.5, 5, 10].find((digit) => digit * power >= wanted * (1 - 1e-9)) ?? 10);
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, value));
}
