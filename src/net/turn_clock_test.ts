import { expect, test } from "bun:test";
import { forgetTurnMs, turnMs } from "./turn_clock.ts";

/** Passes time without ending the turn. */
function spin(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

test("turnMs() stands still during an event, and is read again in the next", () => {
  forgetTurnMs();
  const first = turnMs();
  spin(1);
  expect(turnMs()).toBe(first);
  forgetTurnMs();
  expect(turnMs()).toBeGreaterThanOrEqual(first + 1);
});

test("turnMs() is read again in the next turn of the loop, also when no socket had anything to write", async () => {
  forgetTurnMs();
  const first = turnMs();
  await Bun.sleep(5); // a later turn
  expect(turnMs()).toBeGreaterThan(first);
});
