import { expect, test } from "bun:test";
import fc from "fast-check";
import { mayHold } from "./fair_share.ts";

/** Lets holders take in turn as much as they may; returns what each has. */
function fill(holders: number, budget: number, weight = 1): number[] {
  const held = new Array<number>(holders).fill(0);
  for (let used = 0, moved = true; moved;) {
    moved = false;
    for (let at = 0; at < holders; at++) {
      if (!mayHold((held[at] as number) + 1, used + 1, budget, weight)) continue; // in range
      held[at] = (held[at] as number) + 1;
      used++;
      moved = true;
    }
  }
  return held;
}

test("mayHold() gives one holder half, and n of them 1/(n+1) each", () => {
  expect(fill(1, 1000)).toEqual([500]);
  expect(fill(3, 1000)).toEqual([250, 250, 250]);
  expect(fill(9, 1000).every((held) => held === 100)).toBe(true);
});

test("mayHold() with a weight of 2 gives one holder two thirds", () => {
  expect(fill(1, 999, 2)).toEqual([666]);
});

test("mayHold() leaves something for the next holder, whatever the others did (property)", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(19), { maxLength: 2000 }), (turns) => {
      const held = new Array<number>(20).fill(0);
      let used = 0;
      for (const at of turns) {
        if (!mayHold((held[at] as number) + 1, used + 1, 1000)) continue; // in range
        held[at] = (held[at] as number) + 1;
        used++;
      }
      expect(used).toBeLessThan(1000);
      expect(mayHold(1, used + 1, 1000)).toBe(true);
    }),
  );
});
