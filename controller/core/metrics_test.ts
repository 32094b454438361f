import { expect, test } from "bun:test";
import { Registry } from "./metrics.ts";

test("render() writes counters, gauges and histograms as Prometheus reads them", () => {
  const registry = new Registry();
  const acks = registry.counter("acks_total", "Acks.");
  const idle = registry.counter("idle_total", "Never counted.");
  const files = registry.gauge("files", "Files.");
  const push = registry.histogram("push_seconds", "Push.");
  registry.collect(() => files.set(2, { state: 'a"b\\c\nd' }));
  acks.add({ code: "x" });
  acks.add({ code: "x" }, 2);
  push.observe(0.003);
  push.observe(60);
  const text = registry.render();
  expect(idle.series.size).toBe(0);
  expect(text).toContain('# HELP acks_total Acks.\n# TYPE acks_total counter\nacks_total{code="x"} 3\n');
  expect(text).toContain("idle_total 0\n");
  expect(text).toContain('files{state="a\\"b\\\\c\\nd"} 2\n');
  expect(text).toContain('push_seconds_bucket{le="0.0025"} 0\npush_seconds_bucket{le="0.005"} 1\n');
  expect(text).toContain('push_seconds_bucket{le="+Inf"} 2\npush_seconds_sum 60.003\npush_seconds_count 2\n');
});
