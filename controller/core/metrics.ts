/** A small registry for the controller's own metrics, in Prometheus' text format (version 0.0.4). */

type Labels = Readonly<Record<string, string>>;

/** Most series of one metric: label values come from closed lists, so more would be a mistake. */
const MAX_SERIES = 200;

interface Series {
  readonly labels: Labels;
  value: number;
}

/** A number that only grows. */
export class Counter {
  readonly series = new Map<string, Series>();

  /** Adds `by` (default 1) to the series with these labels. */
  add(labels: Labels = {}, by = 1): void {
    const series = seriesOf(this.series, labels);
    if (series !== null) series.value += by;
  }
}

/** A number that goes up and down, set or read when scraped. */
export class Gauge {
  readonly series = new Map<string, Series>();

  set(value: number, labels: Labels = {}): void {
    const series = seriesOf(this.series, labels);
    if (series !== null) series.value = value;
  }
}

/** Upper bounds, seconds: a push is expected in milliseconds and alarming after half a second. */
const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** A distribution in seconds. */
export class Histogram {
  readonly counts = new Array<number>(BUCKETS.length + 1).fill(0);
  sum = 0;

  observe(seconds: number): void {
    let bucket = 0;
    while (bucket < BUCKETS.length && seconds > (BUCKETS[bucket] ?? Infinity)) bucket++;
    this.counts[bucket] = (this.counts[bucket] ?? 0) + 1;
    this.sum += seconds;
  }
}

interface Entry {
  readonly name: string;
  readonly help: string;
  readonly metric: Counter | Gauge | Histogram;
}

/** Metrics by name; each is made once, at the start. */
export class Registry {
  readonly #entries: Entry[] = [];
  readonly #collectors: (() => void)[] = [];

  /** @param name ends in _total */
  counter(name: string, help: string): Counter {
    return this.#add(name, help, new Counter());
  }

  gauge(name: string, help: string): Gauge {
    return this.#add(name, help, new Gauge());
  }

  /** @param name ends in _seconds */
  histogram(name: string, help: string): Histogram {
    return this.#add(name, help, new Histogram());
  }

  /** Called before each rendering, to set gauges. */
  collect(collector: () => void): void {
    this.#collectors.push(collector);
  }

  /** The text of all metrics. */
  render(): string {
    for (const collector of this.#collectors) collector();
    return this.#entries.map(renderEntry).join("");
  }

  #add<M extends Counter | Gauge | Histogram>(name: string, help: string, metric: M): M {
    this.#entries.push({ name, help, metric });
    return metric;
  }
}

function seriesOf(all: Map<string, Series>, labels: Labels): Series | null {
  const key = renderLabels(labels);
  let series = all.get(key);
  if (series === undefined) {
    if (all.size >= MAX_SERIES) return null;
    series = { labels, value: 0 };
    all.set(key, series);
  }
  return series;
}

function renderEntry({ name, help, metric }: Entry): string {
  const type = metric instanceof Counter ? "counter" : metric instanceof Gauge ? "gauge" : "histogram";
  const lines = [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`];
  if (metric instanceof Histogram) {
    let total = 0;
    metric.counts.forEach((count, index) => {
      total += count;
      lines.push(`${name}_bucket{le="${BUCKETS[index] ?? "+Inf"}"} ${total}`);
    });
    lines.push(`${name}_sum ${metric.sum}`, `${name}_count ${total}`);
  } else {
    if (metric instanceof Counter && metric.series.size === 0) lines.push(`${name} 0`);
    for (const [labels, series] of metric.series) lines.push(`${name}${labels} ${series.value}`);
  }
  return lines.join("\n") + "\n";
}

function renderLabels(labels: Labels): string {
  const pairs = Object.entries(labels).map(([key, value]) =>
    `${key}="${value.replace(/\\/g, "\\\\").replace(/"/g, '\\"').replace(/\n/g, "\\n")}"`
  );
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}
