import { expect, test } from "bun:test";
import fc from "fast-check";
import { TICK_MS, Timer, TimerWheel } from "./timer_wheel.ts";

class Recorder {
  fired: number[] = [];
  onTimer(kind: number): void {
    this.fired.push(kind);
  }
}

test("advance() fires a timer at its time and not before", () => {
  const wheel = new TimerWheel(1000);
  const owner = new Recorder();
  wheel.arm(new Timer(owner, 7), 1000, 100);
  wheel.advance(1099);
  expect(owner.fired).toEqual([]);
  wheel.advance(1100 + TICK_MS);
  expect(owner.fired).toEqual([7]);
  expect(wheel.armed).toBe(0);
});

test("advance() keeps a timer that is more than a turn away", () => {
  const wheel = new TimerWheel(0);
  const owner = new Recorder();
  wheel.arm(new Timer(owner, 1), 0, 60_000);
  for (let t = 0; t < 60_000; t += TICK_MS) wheel.advance(t);
  expect(owner.fired).toEqual([]);
  wheel.advance(60_000 + TICK_MS);
  expect(owner.fired).toEqual([1]);
});

test("cancel() of the next timer from inside a callback does not fire it", () => {
  const wheel = new TimerWheel(0);
  const fired: number[] = [];
  const timers: Timer[] = [];
  const owner = {
    onTimer(kind: number) {
      fired.push(kind);
      for (const t of timers) wheel.cancel(t);
    },
  };
  for (let i = 0; i < 5; i++) timers.push(new Timer(owner, i));
  for (const t of timers) wheel.arm(t, 0, 40);
  wheel.advance(1000);
  expect(fired.length).toBe(1);
  expect(wheel.armed).toBe(0);
});

test("advance() fires each of any set of timers once, never early, at most a tick late", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 20_000 }), { maxLength: 50 }), (delays) => {
      const wheel = new TimerWheel(0);
      let now = 0;
      const at: number[] = delays.map(() => -1);
      const owner = { onTimer: (kind: number) => void (at[kind] = now) };
      delays.forEach((d, i) => wheel.arm(new Timer(owner, i), 0, d));
      for (; now <= 21_000; now += TICK_MS) wheel.advance(now);
      delays.forEach((d, i) => {
        expect(at[i]).toBeGreaterThanOrEqual(d);
        expect(at[i]).toBeLessThanOrEqual(d + 2 * TICK_MS);
      });
    }),
    { numRuns: 50 },
  );
});
