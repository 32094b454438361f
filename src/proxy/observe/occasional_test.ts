import { expect, test } from "bun:test";
import { Occasional, SAY_EVERY_MS } from "./occasional.ts";

test("happened() is due at once, then when its time has passed, with the number since", () => {
  const it = new Occasional();
  const times = [0, 1, SAY_EVERY_MS - 1, SAY_EVERY_MS, SAY_EVERY_MS + 1, 3 * SAY_EVERY_MS];
  expect(times.map((nowMs) => it.happened(nowMs))).toEqual([1, 0, 0, 3, 0, 2]);
});
