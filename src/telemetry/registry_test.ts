import { expect, test } from "bun:test";
import fc from "fast-check";
import { Registry } from "./registry.ts";
import { renderMetrics } from "./render.ts";

test("add() counts at the handle that open() gave", () => {
  const registry = new Registry();
  const family = registry.counter("a_total", "A.");
  const handle = registry.open(family, [["x", "1"]]);
  registry.add(handle, 2);
  registry.add(handle, 0.5);
  expect(renderMetrics(registry)).toBe('# HELP a_total A.\n# TYPE a_total counter\na_total{x="1"} 2.5\n');
});

test("open() gives one handle for equal labels, whatever empty ones stand between", () => {
  const registry = new Registry();
  const family = registry.counter("a_total", "A.");
  expect(registry.open(family, [["x", "1"], ["y", ""]])).toBe(registry.open(family, [["x", "1"]]));
});

test("open() counts in the overflow series when the family is full, and says so", () => {
  const registry = new Registry();
  const family = registry.counter("a_total", "A.", 2);
  for (const x of ["1", "2", "3", "4"]) registry.add(registry.open(family, [["x", x]]), 1);
  const text = renderMetrics(registry);
  expect(text).toContain('a_total{overflow="true"} 2\n');
  expect(text).toContain('tulle_metrics_overflow_total{family="a_total"} 2\n');
});

test("close() removes a series when its last holder goes, and its place starts at 0 again", () => {
  const registry = new Registry();
  const family = registry.counter("a_total", "A.");
  const handle = registry.open(family, [["x", "1"]]);
  registry.open(family, [["x", "1"]]);
  registry.add(handle, 7);
  registry.close(family, 'x="1"', handle);
  expect(renderMetrics(registry)).toContain('a_total{x="1"} 7');
  registry.close(family, 'x="1"', handle);
  expect(renderMetrics(registry)).toBe("");
  expect(registry.open(family, [["x", "2"]])).toBe(handle);
  expect(registry.values[handle]).toBe(0);
});

test("close() by a holder of the overflow series leaves a later series with its labels alone", () => {
  const registry = new Registry();
  const family = registry.counter("a_total", "A.", 1);
  const first = registry.open(family, [["x", "1"]]);
  const overflow = registry.open(family, [["x", "2"]]);
  registry.close(family, 'x="1"', first);
  registry.add(registry.open(family, [["x", "2"]]), 5);
  registry.close(family, 'x="2"', overflow);
  expect(renderMetrics(registry)).toContain('a_total{x="2"} 5');
});

test("values keep their numbers when the array grows", () => {
  const registry = new Registry();
  const family = registry.counter("a_total", "A.", 5000);
  const handles = Array.from({ length: 3000 }, (_, i) => registry.open(family, [["i", String(i)]]));
  handles.forEach((handle, i) => registry.add(handle, i));
  const more = registry.histogram("h", "H.", [1, 2], 4000);
  for (let i = 0; i < 2000; i++) registry.open(more, [["i", String(i)]]);
  expect(handles.every((handle, i) => registry.values[handle] === i)).toBe(true);
});

test("counter() refuses a name twice, since the exposition would be invalid", () => {
  const registry = new Registry();
  registry.counter("a_total", "A.");
  expect(() => registry.gauge("a_total", "A.")).toThrow("registered twice");
});

test("open() and close() in any order never let two series share a place", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat(9)), { maxLength: 100 }), (steps) => {
      const registry = new Registry();
      const families = [registry.counter("a_total", "A.", 6), registry.histogram("h", "H.", [1, 2], 6)] as const;
      const held: [number, string, number][] = [];
      for (const [isOpen, n] of steps) {
        const family = families[n % 2] ?? families[0];
        if (isOpen) held.push([n % 2, `x="${n}"`, registry.openText(family, `x="${n}"`)]);
        else {
          const last = held.splice(n % (held.length || 1), 1)[0];
          if (last !== undefined) registry.close(families[last[0]] ?? families[0], last[1], last[2]);
        }
      }
      const taken = new Set<number>();
      for (const family of families) {
        for (const { handle } of family.series.values()) {
          for (let i = 0; i < (family.kind === "histogram" ? 4 : 1); i++) {
            if (taken.has(handle + i)) return false;
            taken.add(handle + i);
          }
        }
      }
      return true;
    }),
    { numRuns: 300 },
  );
});
