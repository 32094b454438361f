import { expect, test } from "bun:test";
import { type Drainable, Live, MAX_CONNECTIONS } from "./live.ts";

/** A descriptor that leaves many free. */
const FD = 10;
const ALONE = { before: null, after: null };

test("refusal() says so from the limit on, and null again when one has ended", () => {
  const live = new Live();
  const items: Drainable[] = Array.from({ length: MAX_CONNECTIONS }, () => ({ ...ALONE, shutdown() {} }));
  for (const item of items) {
    expect(live.refusal(FD)).toBeNull();
    live.add(item);
  }
  expect(live.refusal(FD)?.code).toBe("overloaded");
  live.delete(items[0] as Drainable); // there are some
  expect(live.refusal(FD)).toBeNull();
});

test("drain() asks all to finish and calls back once, when the last one has", () => {
  const live = new Live();
  const asked: number[] = [];
  const items = [1, 2].map((n): Drainable => ({ ...ALONE, shutdown: () => void asked.push(n) }));
  items.forEach((item) => live.add(item));
  let done = 0;
  live.drain(() => void done++);
  expect(asked).toEqual([1, 2]);
  for (const item of items) live.delete(item);
  expect(done).toBe(1);
});

test("drain() waits for connections that are being made", () => {
  const live = new Live();
  const calls: string[] = [];
  live.arrive();
  live.drain(() => calls.push("empty"));
  const item = { ...ALONE, shutdown: () => {} };
  live.add(item);
  live.arrived();
  expect(calls).toEqual([]);
  live.delete(item);
  expect(calls).toEqual(["empty"]);
});
