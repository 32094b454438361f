import { edenGC, fullGC, heapSize } from "bun:jsc";
import { expect, test } from "bun:test";
import fc from "fast-check";
import { ChurningMap } from "./churning_map.ts";

test("ChurningMap is a Map, also when it begins anew (property)", () => {
  const step = fc.record({ isSet: fc.boolean(), name: fc.constantFrom("a", "b", "c", "d"), value: fc.nat() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 600, size: "max" }), (steps) => {
      const map = new ChurningMap<number>();
      const model = new Map<string, number>();
      for (const { isSet, name, value } of steps) {
        if (isSet) map.set(name, value);
        else map.delete(name);
        if (isSet) model.set(name, value);
        else model.delete(name);
        expect([map.size, map.get(name)]).toEqual([model.size, model.get(name)]);
      }
      for (const name of "abcd") expect(map.get(name)).toBe(model.get(name));
    }),
    { numRuns: 50 },
  );
});

/** A Map leaves 17 MB after these, a full collection frees them. */
const MOST_LEFT_BYTES = 1_000_000;

test("entries that came and went are gone after a collection of young objects", () => {
  const map = new ChurningMap<{ readonly content: readonly number[] }>();
  let next = 0;
  const pass = (count: number) => {
    for (let i = 0; i < count; i++) {
      map.set(`${next++}`, { content: [i] });
      map.delete(`${next - 8}`); // a few at a time
    }
  };
  pass(1_000);
  fullGC();
  const before = heapSize();
  for (let round = 0; round < 20; round++) {
    pass(5_000);
    edenGC();
  }
  expect(heapSize() - before).toBeLessThan(MOST_LEFT_BYTES);
});
