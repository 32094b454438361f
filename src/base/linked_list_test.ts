import { edenGC, fullGC, heapSize } from "bun:jsc";
import { expect, test } from "bun:test";
import fc from "fast-check";
import { type Linked, LinkedList } from "./linked_list.ts";

class Item implements Linked<Item> {
  before: Item | null = null;
  after: Item | null = null;
  readonly content: readonly number[];

  constructor(n: number) {
    this.content = [n];
  }
}

function backwards(list: LinkedList<Item>): Item[] {
  const all: Item[] = [];
  for (let item = list.last; item !== null; item = item.before) all.push(item);
  return all;
}

test("LinkedList is a Set, whatever comes and goes, and however often (property)", () => {
  const items = Array.from({ length: 6 }, (_, n) => new Item(n));
  const step = fc.record({ isAdd: fc.boolean(), item: fc.constantFrom(...items) });
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const list = new LinkedList<Item>();
    const model = new Set<Item>();
    for (const { isAdd, item } of steps) {
      if (isAdd) {
        list.add(item);
        model.add(item);
      } else {
        list.delete(item);
        model.delete(item);
        expect([item.before, item.after]).toEqual([null, null]);
      }
      expect(list.toArray()).toEqual([...model]);
      expect(backwards(list)).toEqual([...model].reverse());
      expect(items.filter((each) => list.has(each)).length).toBe(list.size);
      expect(list.size).toBe(model.size);
    }
    for (const item of list.toArray()) list.delete(item);
    expect([list.first, list.last, list.size]).toEqual([null, null, 0]);
  }));
});

/** A Set leaves 17 MB after these, a full collection frees them. */
const MOST_LEFT_BYTES = 500_000;

test("items that came and went are gone after a collection of young objects", () => {
  const list = new LinkedList<Item>();
  const few: Item[] = Array.from({ length: 8 }, () => new Item(0));
  const pass = (count: number) => {
    for (let i = 0; i < count; i++) {
      const item = new Item(i);
      list.add(item);
      list.delete(few[i % few.length] as Item); // a few at a time
      few[i % few.length] = item;
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
