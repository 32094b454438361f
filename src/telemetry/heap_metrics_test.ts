import { expect, test } from "bun:test";
import { eventually } from "../../tests/support/eventually.ts";
import { registerHeapMetrics } from "./heap_metrics.ts";
import { Registry } from "./registry.ts";
import { renderMetrics } from "./render.ts";

function value(registry: Registry, name: string): number {
  return Number(new RegExp(`^${name} (\\d+)`, "m").exec(renderMetrics(registry))?.[1]);
}

/** Collects until that many have been counted: what is still on the stack outlives the first. */
async function collected(registry: Registry, count: number): Promise<void> {
  await eventually(() => {
    Bun.gc(true);
    expect(value(registry, "tulle_gc_collections_total")).toBeGreaterThanOrEqual(count);
  });
}

test("registerHeapMetrics() counts a collection and shows what is left", async () => {
  const registry = new Registry();
  registerHeapMetrics(registry);
  await collected(registry, 1);
  // What other tests of this process have left goes first.
  let collections = 1;
  let before = Infinity;
  for (let now = value(registry, "tulle_heap_bytes"); now < before; now = value(registry, "tulle_heap_bytes")) {
    before = now;
    await collected(registry, ++collections);
  }
  expect(before).toBeGreaterThan(100_000);
  const kept = Array.from({ length: 100_000 }, (_, index) => ({ index }));
  await collected(registry, value(registry, "tulle_gc_collections_total") + 1);
  expect(value(registry, "tulle_heap_bytes")).toBeGreaterThan(before + 16 * kept.length);
});
