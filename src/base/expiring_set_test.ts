import { expect, test } from "bun:test";
import { ExpiringSet } from "./expiring_set.ts";

test("has() is true until a text's time is over, which starts anew with each add()", () => {
  const set = new ExpiringSet(100, 10);
  set.add("a", 0);
  set.add("a", 50);
  expect([set.has("a", 149), set.has("a", 150), set.has("b", 0)]).toEqual([true, false, false]);
});

test("add() forgets the one that was added longest ago when there are too many", () => {
  const set = new ExpiringSet(100, 2);
  for (const text of ["a", "b", "a", "c"]) set.add(text, 0);
  expect(["a", "b", "c"].map((text) => set.has(text, 1))).toEqual([true, false, true]);
});

test("add() leaves nothing of those whose time is over", () => {
  const set = new ExpiringSet(100, 1000);
  for (let i = 0; i < 500; i++) set.add(`${i}`, i);
  set.add("last", 1000);
  expect(set.size).toBe(1);
});
