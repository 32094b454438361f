import { expect, jest, test } from "bun:test";
import { Due } from "./due.ts";

/** Time that the test moves: the monotonic clock with the timers, the wall clock also by itself. */
function rig() {
  jest.useFakeTimers();
  let monotonic = 0;
  let offset = 1_000_000;
  let fired = 0;
  const due = new Due({ now: () => monotonic + offset, monotonic: () => monotonic }, () => fired++);
  return {
    due,
    fired: () => fired,
    pass(ms: number) {
      for (let left = ms; left > 0; left -= 1000) {
        monotonic += 1000;
        jest.advanceTimersByTime(1000);
      }
    },
    set: (ms: number) => void (offset += ms),
    [Symbol.dispose]: () => void jest.useRealTimers(),
  };
}

const HOUR = 3_600_000;

test("Due is due after its time, once", () => {
  using r = rig();
  r.due.in(HOUR);
  r.pass(HOUR - 20_000);
  expect([r.fired(), r.due.isWaiting]).toEqual([0, true]);
  r.pass(20_000);
  expect([r.fired(), r.due.isWaiting]).toEqual([1, false]);
});

test("Due is due soon after the wall clock was set beyond it", () => {
  using r = rig();
  r.due.in(HOUR / 2);
  r.pass(60_000);
  r.set(HOUR);
  r.pass(20_000);
  expect(r.fired()).toBe(1);
});

test("Due is due in time after the wall clock was set back, and forth", () => {
  using r = rig();
  r.due.in(HOUR);
  r.set(-HOUR);
  r.pass(HOUR / 2);
  r.set(HOUR);
  expect(r.fired()).toBe(0);
  r.pass(HOUR / 2);
  expect(r.fired()).toBe(1);
});

test("Due forgets what was before, and all when it is stopped", () => {
  using r = rig();
  r.due.in(5000);
  r.due.in(HOUR);
  r.pass(60_000);
  expect(r.fired()).toBe(0);
  r.due.stop();
  r.pass(HOUR);
  expect(r.fired()).toBe(0);
});
