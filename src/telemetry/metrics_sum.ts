/** The metrics of several threads as one exposition, as if one thread had counted everything. */
import { RETAIN_IDLE_MS } from "./idle.ts";
import { type ClosedSeries, type Family, Registry, widthOf } from "./registry.ts";

/** Series of one family. */
export interface FamilyDump {
  readonly name: string;
  /** Texts of the labels, as `labelText` makes them. */
  readonly texts: readonly string[];
  /** Their values, one series after the other. */
  readonly values: Float64Array;
  readonly overflows: number;
}

/** What one thread has counted, as plain data that can be sent to another. */
export interface MetricsDump {
  readonly families: readonly FamilyDump[];
  /** Since the dump before; it is in this one alone. */
  readonly closed: readonly ClosedSeries[];
}

/** Brings the registry up to date and takes its values. */
export function dumpMetrics(registry: Registry): MetricsDump {
  registry.collect();
  const families = registry.families.filter((family) => family.series.size > 0);
  return { families: families.map((family) => dumpFamily(registry.values, family)), closed: registry.takeClosed() };
}

function dumpFamily(all: Float64Array, family: Family): FamilyDump {
  const width = widthOf(family);
  const values = new Float64Array(width * family.series.size);
  let at = 0;
  for (const { handle } of family.series.values()) {
    values.set(all.subarray(handle, handle + width), at);
    at += width;
  }
  return { name: family.name, texts: [...family.series.keys()], values, overflows: family.overflows };
}

/** What was counted under a series by threads that have given it up, or have ended. */
interface Carried {
  readonly values: Float64Array;
  /** When a live thread last had the series, monotonic milliseconds. */
  liveMs: number;
}

export class MetricsSum {
  readonly #shape: Registry;
  readonly #clock: () => number;
  /** Family and text → counts that must not get lost while the series exists: a counter never goes down. */
  readonly #carried = new Map<string, Map<string, Carried>>();

  /**
   * @param shape a registry with all families; its values do not matter
   * @param clock monotonic milliseconds
   */
  constructor(shape: Registry, clock: () => number) {
    this.#shape = shape;
    this.#clock = clock;
  }

  /** Series that a thread has given up keep their counts. Call once for each dump. */
  carry(closed: readonly ClosedSeries[]): void {
    for (const { family, text, values } of closed) this.#carry(family, text, values);
  }

  /** A thread has ended: its counters stay, its gauges go. @param last what it counted, without what was carried */
  retire(last: MetricsDump): void {
    for (const { name, texts, values } of last.families) {
      const family = this.#shape.family(name);
      if (family.kind === "gauge") continue;
      const width = widthOf(family);
      texts.forEach((text, i) => this.#carry(name, text, values.subarray(i * width, (i + 1) * width)));
    }
  }

  /** All that the threads have counted, as one registry. @param dumps of the threads that are there */
  merge(dumps: readonly MetricsDump[]): Registry {
    const merged = new Registry();
    for (const family of this.#shape.families) merged.families.push({ ...family, series: new Map(), overflows: 0 });
    for (const dump of dumps) {
      for (const family of dump.families) addFamily(merged, family);
    }
    this.#addCarried(merged);
    return merged;
  }

  #carry(name: string, text: string, values: Float64Array): void {
    let series = this.#carried.get(name);
    if (series === undefined) this.#carried.set(name, series = new Map());
    const known = series.get(text);
    if (known === undefined) series.set(text, { values: values.slice(), liveMs: this.#clock() });
    else values.forEach((value, i) => known.values[i] = (known.values[i] as number) + value); // of equal width
  }

  #addCarried(merged: Registry): void {
    const nowMs = this.#clock();
    for (const [name, series] of this.#carried) {
      const family = merged.family(name);
      for (const [text, carried] of series) {
        if (family.series.has(text)) carried.liveMs = nowMs;
        else if (nowMs - carried.liveMs >= RETAIN_IDLE_MS) {
          series.delete(text);
          continue;
        }
        addSeries(merged, family, text, carried.values, 0);
      }
    }
  }
}

function addFamily(merged: Registry, dump: FamilyDump): void {
  const family = merged.family(dump.name);
  const width = widthOf(family);
  family.overflows += dump.overflows;
  dump.texts.forEach((text, i) => addSeries(merged, family, text, dump.values, i * width));
}

function addSeries(merged: Registry, family: Family, text: string, values: Float64Array, at: number): void {
  const handle = merged.openText(family, text);
  for (let i = 0; i < widthOf(family); i++) {
    const value = values[at + i] ?? 0;
    if (family.across === "max") merged.set(handle, Math.max(merged.values[handle] ?? 0, value));
    else merged.add(handle + i, value);
  }
}
