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

test("delayMs() leads to each timer in time, without a call in between that does nothing", () => {
  const step = fc.record({ delay: fc.integer({ min: 0, max: 700_000 }), cancels: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 30 }), (steps) => {
      const wheel = new TimerWheel(0);
      let now = 0;
      let sooner = Infinity;
      let fired = 0;
      wheel.onSooner = (delayMs) => void (sooner = now + delayMs);
      const lateness: number[] = [];
      const timers = steps.map(({ delay }) => {
        const owner = { onTimer: () => void (fired++, lateness.push(now - delay)) };
        const timer = new Timer(owner, 0);
        wheel.arm(timer, 0, delay);
        return timer;
      });
      steps.forEach(({ cancels }, i) => cancels && wheel.cancel(timers[i] as Timer)); // as many timers
      const kept = steps.filter(({ cancels }) => !cancels).length;
      let calls = 0;
      for (let delay = sooner; delay >= 0 && calls < 1000; delay = wheel.delayMs(now)) {
        now += delay;
        wheel.advance(now);
        calls++;
      }
      expect([fired, wheel.armed]).toEqual([kept, 0]);
      for (const late of lateness) expect(late >= 0 && late <= TICK_MS).toBe(true);
      expect(calls).toBeLessThanOrEqual(steps.length); // one for each deadline at most, cancelled or not
    }),
  );
});

test("onSooner tells of a timer that is due before all others, and of no other", () => {
  const wheel = new TimerWheel(0);
  const owner = new Recorder();
  const told: number[] = [];
  wheel.onSooner = (delayMs) => void told.push(delayMs);
  for (const delay of [60_000, 90_000, 1000, 30_000]) wheel.arm(new Timer(owner, 0), 0, delay);
  expect(told).toEqual([60_000, 1000]);
});

test("advance() after a callback that throws fires the others, at the latest a turn later", () => {
  const wheel = new TimerWheel(0);
  const owner = new Recorder();
  wheel.arm(new Timer(owner, 1), 0, 40);
  const bad = {
    onTimer() {
      throw new Error("bug");
    },
  };
  wheel.arm(new Timer(bad, 0), 0, 40);
  expect(() => wheel.advance(40)).toThrow("bug");
  for (let now = 40; wheel.armed > 0 && now < 10_000; now += Math.max(1, wheel.delayMs(now))) wheel.advance(now);
  expect(owner.fired).toEqual([1]);
});
