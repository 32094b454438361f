import { edenGC, fullGC, heapSize } from "bun:jsc";
import { expect, test } from "bun:test";
import fc from "fast-check";
import { StreamTable } from "./stream_table.ts";

test("StreamTable is a Map of ascending ids, whatever comes and goes", () => {
  // Steps of 2·8·k meet in one slot; deletions pick one of those that are there.
  const step = fc.oneof(
    fc.record({ kind: fc.constant("add" as const), by: fc.constantFrom(1, 1, 1, 2, 8, 16, 64) }),
    fc.record({ kind: fc.constant("delete" as const), pick: fc.nat() }),
    fc.record({ kind: fc.constant("unknown" as const), id: fc.nat() }),
    fc.record({ kind: fc.constant("clear" as const) }),
  );
  fc.assert(fc.property(fc.array(step, { maxLength: 200 }), fc.boolean(), (steps, isOdd) => {
    const table = new StreamTable<{ readonly id: number }>();
    const model = new Map<number, { readonly id: number }>();
    let next = isOdd ? 1 : 2;
    for (const one of steps) {
      if (one.kind === "add") {
        const stream = { id: next += 2 * one.by };
        table.add(stream);
        model.set(stream.id, stream);
      } else if (one.kind === "delete") {
        const id = [...model.keys()][one.pick % Math.max(1, model.size)] ?? 1_000_001;
        table.delete(id);
        model.delete(id);
      } else if (one.kind === "unknown") {
        expect(table.get(one.id)).toBe(model.get(one.id));
      } else if (one.kind === "clear" && model.size > 20) {
        table.clear();
        model.clear();
      }
      expect(table.size).toBe(model.size);
      for (const [id, stream] of model) expect(table.get(id)).toBe(stream);
    }
    expect(table.values()).toEqual([...model.values()]);
  }));
});

test("StreamTable takes the highest id of a connection", () => {
  const table = new StreamTable<{ readonly id: number }>();
  const [first, last] = [{ id: 1 }, { id: 0x7fffffff }];
  table.add(first);
  table.add(last);
  expect([table.get(1), table.get(0x7fffffff), table.get(3)]).toEqual([first, last, undefined]);
});

/** A Map leaves 7 MB after these, a full collection frees them. */
const MOST_LEFT_BYTES = 500_000;

test("streams that came and went are gone after a collection of young objects", () => {
  const table = new StreamTable<{ readonly id: number; readonly head: number[] }>();
  let id = 1;
  const pass = (count: number) => {
    for (let i = 0; i < count; i++) {
      table.add({ id: id += 2, head: [i] });
      table.delete(id - 8); // a few at a time
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
