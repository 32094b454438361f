import { expect, test } from "bun:test";
import fc from "fast-check";
import { ByteMeter } from "./byte_meter.ts";

test("no more goes on than the rate allows since bytes wait, and all of it in the end", () => {
  const step = fc.record({ bytes: fc.nat(5000), ms: fc.integer({ min: 0, max: 300 }) });
  fc.assert(fc.property(fc.integer({ min: 1, max: 100_000 }), fc.array(step), (rate, steps) => {
    const meter = new ByteMeter(rate, 0);
    let [now, held, taken] = [0, 0, 0];
    for (const { bytes, ms } of steps) {
      meter.hold(bytes, now);
      now += ms;
      held += bytes;
      taken += meter.take(now);
      expect(taken).toBeLessThanOrEqual(Math.ceil((rate * now) / 1000));
      expect(taken + meter.held).toBe(held);
    }
    now += Math.ceil((1000 * held) / rate) + 1;
    expect(taken + meter.take(now)).toBe(held);
  }));
});

test("nothing is saved up while nothing waits", () => {
  const meter = new ByteMeter(1000, 0);
  meter.hold(10, 60_000);
  expect([meter.take(60_000), meter.take(60_004), meter.take(60_010), meter.take(70_000)]).toEqual([0, 4, 6, 0]);
});
