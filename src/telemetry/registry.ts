/**
 * Metrics whose values live in one Float64Array: counting is an addition at an index, and nothing is left to collect.
 *
 * Labels are resolved to a handle (an index) when a route or an endpoint is compiled, never per request. Every family has a
 * cap; what does not fit is counted together in one series marked `overflow="true"`, so that totals stay right.
 */
import { bucketIndex } from "./histogram.ts";
import { type Labels, labelText } from "./labels.ts";

export type Kind = "counter" | "gauge" | "histogram";

/** What the values of one gauge in several threads are together: each has its own part, or all see the same thing. */
export type Across = "sum" | "max";

/** Series per counter or gauge. A line is about 300 bytes: ten full families are a scrape of 3 MB, which Prometheus takes well. */
export const MAX_SERIES = 1000;
/** Series per histogram: each is 28 lines. */
const MAX_HISTOGRAM_SERIES = 200;

/** Room at the start, numbers; doubles when it is full. */
const INITIAL_VALUES = 512;
const OVERFLOW_TEXT = 'overflow="true"';

interface Series {
  readonly handle: number;
  /** How many holders opened it and did not close it. */
  holders: number;
}

/** A metric with all its series. Made by `counter`, `gauge` and `histogram`. */
export interface Family {
  readonly name: string;
  readonly help: string;
  readonly kind: Kind;
  /** Upper bounds of the buckets; empty unless it is a histogram. */
  readonly bounds: readonly number[];
  readonly maxSeries: number;
  /** Counters and histograms: always "sum". */
  readonly across: Across;
  /** Text of the labels → series. */
  readonly series: Map<string, Series>;
  /** Times that labels did not fit. */
  overflows: number;
}

/** What a series counted until it was given up. */
export interface ClosedSeries {
  readonly family: string;
  readonly text: string;
  readonly values: Float64Array;
}

export class Registry {
  /** All values. Replaced when it grows, so never keep it. */
  values: Float64Array = new Float64Array(INITIAL_VALUES);
  readonly families: Family[] = [];
  #used = 0;
  /** Width → handles that were closed. */
  readonly #free = new Map<number, number[]>();
  readonly #collectors: (() => void)[] = [];
  #closed: ClosedSeries[] | null = null;

  /** A family that only grows. @param name ends in `_total` */
  counter(name: string, help: string, maxSeries: number = MAX_SERIES): Family {
    return this.#family(name, help, "counter", [], maxSeries);
  }

  /** A family that goes up and down. */
  gauge(name: string, help: string, across: Across = "sum", maxSeries: number = MAX_SERIES): Family {
    return this.#family(name, help, "gauge", [], maxSeries, across);
  }

  /** A distribution. @param bounds ascending upper bounds, +Inf excluded */
  histogram(name: string, help: string, bounds: readonly number[], maxSeries: number = MAX_HISTOGRAM_SERIES): Family {
    return this.#family(name, help, "histogram", bounds, maxSeries);
  }

  /** The family of this name; a name that was not registered is a bug. */
  family(name: string): Family {
    const family = this.families.find((candidate) => candidate.name === name);
    if (family === undefined) throw new Error(`metric ${name} is not registered`);
    return family;
  }

  /** Keeps what closed series have counted, for `takeClosed`: other threads may go on with the same series. */
  keepClosed(): void {
    this.#closed ??= [];
  }

  /** What series closed since the last call have counted; empty unless `keepClosed` was called. */
  takeClosed(): readonly ClosedSeries[] {
    const taken = this.#closed ?? [];
    if (this.#closed !== null) this.#closed = [];
    return taken;
  }

  /** Called before each rendering, to set gauges that are read rather than counted. */
  onCollect(collect: () => void): void {
    this.#collectors.push(collect);
  }

  /** Runs what `onCollect` registered. */
  collect(): void {
    for (const collect of this.#collectors) collect();
  }

  /** Handle of the series with these labels; of the overflow series when the family is full. Ends with `close`. */
  open(family: Family, labels: Labels): number {
    return this.openText(family, labelText(labels));
  }

  /** As `open`, for a text that `labelText` made. */
  openText(family: Family, text: string): number {
    const known = family.series.get(text);
    if (known !== undefined) {
      known.holders++;
      return known.handle;
    }
    const overflow = family.series.get(OVERFLOW_TEXT);
    const used = family.series.size - (overflow === undefined ? 0 : 1);
    if (used < family.maxSeries) return this.#add(family, text);
    family.overflows++;
    return overflow === undefined ? this.#add(family, OVERFLOW_TEXT) : overflow.handle;
  }

  /**
   * Gives a series up; when nobody holds it any more it disappears. The handle must not be used again.
   * @param text what it was opened with
   * @param handle what `open` gave: holders of the overflow series hold no series of their own
   */
  close(family: Family, text: string, handle: number): void {
    const series = family.series.get(text);
    if (series === undefined || series.handle !== handle || --series.holders > 0) return;
    family.series.delete(text);
    const width = widthOf(family);
    if (this.#closed !== null && family.kind !== "gauge") {
      this.#closed.push({
        family: family.name,
        text,
        values: this.values.slice(series.handle, series.handle + width),
      });
    }
    this.values.fill(0, series.handle, series.handle + width);
    const free = this.#free.get(width);
    if (free === undefined) this.#free.set(width, [series.handle]);
    else free.push(series.handle);
  }

  /** Adds to a counter or gauge. */
  add(handle: number, n: number): void {
    this.values[handle] = (this.values[handle] as number) + n; // handles are in range
  }

  /** Sets a gauge. */
  set(handle: number, value: number): void {
    this.values[handle] = value;
  }

  /** Records one value in a histogram. */
  observe(handle: number, bounds: readonly number[], value: number): void {
    this.add(handle + bucketIndex(bounds, value), 1);
    this.add(handle + bounds.length + 1, value);
  }

  #family(
    name: string,
    help: string,
    kind: Kind,
    bounds: readonly number[],
    maxSeries: number,
    across: Across = "sum",
  ): Family {
    if (this.families.some((family) => family.name === name)) throw new Error(`metric ${name} is registered twice`);
    const family: Family = { name, help, kind, bounds, maxSeries, across, series: new Map(), overflows: 0 };
    this.families.push(family);
    return family;
  }

  #add(family: Family, text: string): number {
    const handle = this.#allocate(widthOf(family));
    family.series.set(text, { handle, holders: 1 });
    return handle;
  }

  #allocate(width: number): number {
    const free = this.#free.get(width)?.pop();
    if (free !== undefined) return free;
    const handle = this.#used;
    this.#used += width;
    if (this.#used > this.values.length) {
      const grown = new Float64Array(Math.max(this.values.length * 2, this.#used));
      grown.set(this.values);
      this.values = grown;
    }
    return handle;
  }
}

/** Numbers that one series of a family occupies. */
export function widthOf(family: Family): number {
  return family.kind === "histogram" ? family.bounds.length + 2 : 1;
}
