import { expect, test } from "bun:test";
import { readProcess, registerProcessMetrics } from "./process_metrics.ts";
import { Registry } from "./registry.ts";
import { renderMetrics } from "./render.ts";

test("readProcess() reads this process", () => {
  const sample = readProcess();
  expect(sample.residentBytes).toBeGreaterThan(10e6);
  expect(sample.privateBytes).toBeLessThanOrEqual(sample.residentBytes);
  expect(sample.virtualBytes).toBeGreaterThan(sample.residentBytes);
  expect(sample.openFds).toBeGreaterThan(2);
  expect(sample.maxFds).toBeGreaterThan(sample.openFds);
  expect(sample.cpuSeconds).toBeGreaterThan(0);
});

test("registerProcessMetrics() shows what was read at the scrape", () => {
  const registry = new Registry();
  let openFds = 3;
  registerProcessMetrics(registry, () => ({ ...readProcess(), openFds }));
  openFds = 99;
  expect(renderMetrics(registry)).toContain("\nprocess_open_fds 99\n");
});
