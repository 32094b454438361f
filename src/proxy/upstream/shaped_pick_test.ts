import { expect, test } from "bun:test";
import fc from "fast-check";
import { NO_RESILIENCE, type Resilience } from "../../model/resilience.ts";
import { pickShaped, type ShapedCandidate, type ShapingEvent, warmShare, zonesOf } from "./shaped_pick.ts";

interface Fake extends ShapedCandidate {
  readonly out: boolean;
}

function candidate(more: Partial<Fake> = {}): Fake {
  const base = { weight: 1, zone: "a", pending: 0, isFull: false, warmingSinceMs: -1, out: false, ...more };
  return { ...base, load: () => base.pending + 1, admits: () => !base.out };
}

/** A generator of numbers that is the same each time. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 48271) % 2147483647) / 2147483647;
}

function run(candidates: readonly Fake[], resilience: Partial<Resilience>, times = 1000, zone = "a", nowMs = 0) {
  const events = new Map<ShapingEvent, number>();
  const random = numbers(7);
  const picked = new Map<Fake | null, number>();
  for (let i = 0; i < times; i++) {
    const one = pickShaped(candidates, {
      resilience: { ...NO_RESILIENCE, ...resilience },
      zones: zonesOf(candidates, zone),
      nowMs,
      random,
      exclude: null,
      count: (event) => events.set(event, (events.get(event) ?? 0) + 1),
    });
    picked.set(one, (picked.get(one) ?? 0) + 1);
  }
  return { picked: candidates.map((one) => picked.get(one) ?? 0), events };
}

test("requests stay in their zone until its endpoints are busy", () => {
  const zone = { spillOver: 4 };
  const [own, other] = [candidate(), candidate({ zone: "b" })];
  expect(run([own, other], { zone }).picked).toEqual([1000, 0]);
  expect(run([candidate({ pending: 3 }), other], { zone }).picked).toEqual([1000, 0]);
  const busy = run([candidate({ pending: 4 }), other], { zone });
  expect(busy.picked).toEqual([0, 1000]);
  expect(busy.events).toEqual(new Map([["zone_spill", 1000]]));
});

test("a zone whose endpoints are out, or that has none, is no zone to prefer", () => {
  const zone = { spillOver: 4 };
  const failed = run([candidate({ out: true }), candidate({ zone: "b" })], { zone });
  expect(failed.picked).toEqual([0, 1000]);
  expect(failed.events).toEqual(new Map([["zone_failover", 1000]]));
  expect(run([candidate({ zone: "b" }), candidate({ zone: "c" })], { zone }).picked.every((n) => n > 100)).toBe(true);
  expect(run([candidate({ zone: "b" }), candidate({ zone: "a" })], { zone }, 1000, "").picked[0]).toBeGreaterThan(100);
});

test("a warming endpoint gets a share that grows with its age", () => {
  const share = (age: number) => {
    const candidates = [candidate(), candidate(), candidate({ warmingSinceMs: 1000 })];
    return (run(candidates, { slowStartMs: 10_000 }, 6000, "a", 1000 + age).picked[2] ?? 0) / 6000;
  };
  const [young, half, old] = [share(0), share(5000), share(10_000)];
  expect(young).toBeGreaterThan(0);
  expect(young).toBeLessThan(0.1);
  expect(half).toBeGreaterThan(young);
  expect(old).toBeGreaterThan(half);
  expect(old).toBeGreaterThan(0.2); // as with the others
});

test("a warming endpoint that is alone gets everything", () => {
  expect(run([candidate({ warmingSinceMs: 0 })], { slowStartMs: 10_000 }).picked).toEqual([1000]);
});

test("warmShare() is within its bounds and never falls with time", () => {
  const time = fc.nat(100_000);
  fc.assert(fc.property(time, time, time, time, (since, slowStart, now, later) => {
    const share = warmShare(since, slowStart, now);
    expect(share).toBeGreaterThanOrEqual(0.1);
    expect(share).toBeLessThanOrEqual(1);
    expect(warmShare(since, slowStart, now + later)).toBeGreaterThanOrEqual(share);
  }));
});

const fake = fc.record({
  zone: fc.constantFrom("a", "b"),
  pending: fc.nat(8),
  isFull: fc.boolean(),
  warmingSinceMs: fc.constantFrom(-1, 0, 500),
  out: fc.boolean(),
});

test("where anybody can take a request, it goes to somebody who can", () => {
  fc.assert(fc.property(fc.array(fake, { minLength: 1, maxLength: 8 }), fc.integer({ min: 1 }), (specs, seed) => {
    const candidates = specs.map(candidate);
    const one = pickShaped(candidates, {
      resilience: { ...NO_RESILIENCE, slowStartMs: 1000, zone: { spillOver: 4 } },
      zones: zonesOf(candidates, "a"),
      nowMs: 600,
      random: numbers(seed),
      exclude: null,
      count: () => {},
    });
    const isGood = (fake: Fake) => !fake.out && !fake.isFull;
    if (candidates.some(isGood)) expect(one !== null && isGood(one)).toBe(true);
    else expect(one).not.toBeNull();
  }));
});
