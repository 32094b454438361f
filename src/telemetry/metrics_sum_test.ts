import { expect, test } from "bun:test";
import fc from "fast-check";
import { RETAIN_IDLE_MS } from "./idle.ts";
import { dumpMetrics, MetricsSum } from "./metrics_sum.ts";
import { Registry } from "./registry.ts";
import { renderMetrics } from "./render.ts";

const BOUNDS = [1, 10];

function thread(maxSeries = 10) {
  const registry = new Registry();
  registry.keepClosed();
  const requests = registry.counter("requests_total", "Requests.", maxSeries);
  const latency = registry.histogram("latency", "Latency.", BOUNDS);
  const open = registry.gauge("open", "Open.");
  const ready = registry.gauge("ready", "Ready.", "max");
  return {
    registry,
    count: (x: string, n: number) => registry.add(registry.open(requests, [["x", x]]), n),
    observe: (value: number) => registry.observe(registry.open(latency, []), BOUNDS, value),
    gauges(openNow: number, readyNow: number) {
      registry.set(registry.open(open, []), openNow);
      registry.set(registry.open(ready, []), readyNow);
    },
    closeWhole(x: string, holders: number) {
      const handle = registry.open(requests, [["x", x]]);
      for (let i = 0; i <= holders; i++) registry.close(requests, `x="${x}"`, handle);
    },
  };
}

test("merge() adds counters, histograms and parts of gauges, and shows once what all see", () => {
  const [a, b] = [thread(), thread()];
  a.count("1", 2);
  b.count("1", 3);
  b.count("2", 1);
  a.observe(5);
  b.observe(0.5);
  a.gauges(4, 2);
  b.gauges(1, 3);
  const sum = new MetricsSum(a.registry, () => 0);
  const text = renderMetrics(sum.merge([dumpMetrics(a.registry), dumpMetrics(b.registry)]));
  expect(text).toContain('requests_total{x="1"} 5\n');
  expect(text).toContain('requests_total{x="2"} 1\n');
  expect(text).toContain('latency_bucket{le="1"} 1\nlatency_bucket{le="10"} 2\nlatency_bucket{le="+Inf"} 2\n');
  expect(text).toContain("latency_sum 5.5\nlatency_count 2\n");
  expect(text).toContain("open 5\n");
  expect(text).toContain("ready 3\n");
});

test("a counter never goes down: series that a thread gives up, and threads that end, stay in the sum", () => {
  const [a, b] = [thread(), thread()];
  let nowMs = 0;
  const sum = new MetricsSum(a.registry, () => nowMs);
  const value = (...threads: ReturnType<typeof thread>[]) =>
    /requests_total\{x="1"\} (\d+)/.exec(renderMetrics(sum.merge(threads.map(take))))
      ?.[1];
  const take = (one: ReturnType<typeof thread>) => {
    const dump = dumpMetrics(one.registry);
    sum.carry(dump.closed);
    return dump;
  };
  a.count("1", 2);
  b.count("1", 40);
  expect(value(a, b)).toBe("42");
  b.closeWhole("1", 1);
  expect(value(a, b)).toBe("42");
  b.count("1", 5);
  expect(value(a, b)).toBe("47");
  b.gauges(7, 7);
  sum.retire(dumpMetrics(b.registry));
  expect(value(a)).toBe("47");
  expect(renderMetrics(sum.merge([dumpMetrics(a.registry)]))).not.toContain("open 7");
  a.closeWhole("1", 1);
  expect(value(a)).toBe("47");
  nowMs = RETAIN_IDLE_MS;
  expect(value(a)).toBeUndefined();
});

test("merge() keeps the budget of a family over all threads", () => {
  const [a, b] = [thread(2), thread(2)];
  for (const x of ["1", "2"]) a.count(x, 1);
  for (const x of ["3", "4"]) b.count(x, 1);
  const text = renderMetrics(
    new MetricsSum(a.registry, () => 0).merge([dumpMetrics(a.registry), dumpMetrics(b.registry)]),
  );
  expect(text.match(/^requests_total/gm)).toHaveLength(3);
  expect(text).toContain('requests_total{overflow="true"} 2\n');
});

test("merge() equals what one thread would have counted", () => {
  const counts = fc.array(fc.tuple(fc.constantFrom("1", "2", "3"), fc.nat(100), fc.nat(2)), { maxLength: 40 });
  fc.assert(fc.property(counts, (all) => {
    const threads = [thread(), thread(), thread()];
    const single = thread();
    for (const x of ["1", "2", "3"]) for (const one of [...threads, single]) one.count(x, 0);
    for (const [x, n, at] of all) {
      threads[at]?.count(x, n);
      single.count(x, n);
    }
    const sum = new MetricsSum(single.registry, () => 0);
    expect(renderMetrics(sum.merge(threads.map((one) => dumpMetrics(one.registry))))).toBe(
      renderMetrics(single.registry),
    );
  }));
});
