import { expect, test } from "bun:test";
import { unsent } from "./failure.ts";
import { Reachability } from "./reachability.ts";

const refused = unsent("connect_failed", "nobody listens");

test("Reachability leaves an endpoint alone for longer each time, up to a bound", () => {
  const reach = new Reachability();
  expect(reach.admits(0)).toBe(true);
  const pauses: number[] = [];
  for (let now = 0; pauses.length < 9;) {
    reach.onUnreached(refused, now, 1);
    const since = now;
    while (!reach.admits(now)) now++;
    pauses.push(now - since);
  }
  expect(pauses).toEqual([100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000]);
});

test("Reachability counts an outage once, however many requests meet it", () => {
  const reach = new Reachability();
  for (let i = 0; i < 1000; i++) reach.onUnreached(refused, 5, 1);
  expect(reach.admits(104)).toBe(false);
  expect(reach.admits(105)).toBe(true);
  expect(reach.failure).toBe(refused);
  reach.onReached();
  expect(reach.failure).toBeNull();
  expect(reach.admits(5)).toBe(true);
});
