import { expect, test } from "bun:test";
import fc from "fast-check";
import type { Ejection } from "../../model/resilience.ts";
import { EndpointBreaker, type TripReason } from "./breaker.ts";
import { EjectionFloor } from "./ejection_floor.ts";
import { OutcomeWindow } from "./outcome_window.ts";

const POLICY = { consecutiveFailures: 3, minPenaltyMs: 1000, maxPenaltyMs: 60_000 };
const EJECTION: Ejection = {
  minSuccessPercent: 80,
  windowMs: 10_000,
  minRequests: 10,
  slowAfterMs: 100,
  maxSlowPercent: 50,
  maxEjectedPercent: 100,
};

function breaker(ejection: Partial<Ejection> = {}, policy = { ...POLICY, consecutiveFailures: 0 }) {
  const made = new EndpointBreaker(policy);
  const reasons: TripReason[] = [];
  made.onTrip = (trips, _penaltyMs, reason) => trips > 0 && reasons.push(reason);
  made.setPolicy(policy, { ...EJECTION, ...ejection });
  return { made, reasons };
}

test("a low success rate opens the breaker although no failures come in a row", () => {
  const { made, reasons } = breaker();
  for (let i = 0; i < 12 && !made.isOpen; i++) {
    if (i % 3 === 2) made.onFailure(i, 0);
    else made.onSuccess(i, 1, 0);
  }
  expect(reasons).toEqual(["success_rate"]);
});

test("too few requests say nothing", () => {
  const { made } = breaker({ minRequests: 50 });
  for (let i = 0; i < 49; i++) made.onFailure(i, 0);
  expect(made.isOpen).toBe(false);
});

test("slow answers open the breaker, and a slow probe keeps it open twice as long", () => {
  const { made, reasons } = breaker();
  for (let i = 0; i < 10; i++) made.onSuccess(i, 101, 0);
  expect(reasons).toEqual(["latency"]);
  expect(made.admits(1000)).toBe(false);
  expect(made.admits(1010)).toBe(true);
  made.onRequest(1010);
  expect(made.admits(1010)).toBe(false); // a single probe
  made.onSuccess(1200, 150, 0);
  expect([made.isOpen, made.admits(3000), made.admits(3200)]).toEqual([true, false, true]);
  made.onRequest(3200);
  made.onSuccess(3201, 1, 0);
  expect(made.isOpen).toBe(false);
  made.onSuccess(3202, 150, 0); // what was before the probation is forgotten
  expect(made.isOpen).toBe(false);
});

test("a policy that changes shortens what endpoints are out for, and ends it where it looks at something else", () => {
  const hour = { consecutiveFailures: 3, minPenaltyMs: 3_600_000, maxPenaltyMs: 3_600_000 };
  const out = () => {
    const { made } = breaker({}, hour);
    for (let i = 0; i < 3; i++) made.onFailure(100, 0);
    expect([made.isOpen, made.admits(100_000)]).toEqual([true, false]);
    return made;
  };
  const same = out();
  same.setPolicy({ ...hour }, { ...EJECTION });
  expect([same.isOpen, same.admits(100_000)]).toEqual([true, false]);
  const shorter = out();
  shorter.setPolicy(POLICY, EJECTION);
  expect([shorter.isOpen, shorter.admits(1599), shorter.admits(1600)]).toEqual([true, false, true]);
  const gone = out();
  gone.setPolicy({ ...POLICY, consecutiveFailures: 0 }, EJECTION);
  expect([gone.isOpen, gone.admits(100)]).toEqual([false, true]);
  const { made: slow } = breaker();
  for (let i = 0; i < 10; i++) slow.onSuccess(i, 101, 0);
  slow.setPolicy(POLICY, null);
  expect(slow.isOpen).toBe(false);
});

test("answers to requests from before do not end a probation that has not begun", () => {
  const { made } = breaker();
  for (let i = 0; i < 10; i++) made.onFailure(i, 0);
  made.onSuccess(11, 1, 0);
  expect(made.isOpen).toBe(true);
});

test("what happened longer ago than the window is forgotten", () => {
  const { made } = breaker();
  for (let i = 0; i < 9; i++) made.onFailure(0, 0);
  for (let i = 0; i < 20; i++) made.onSuccess(10_000 + i, 1, 0);
  expect(made.isOpen).toBe(false);
});

/** A window in the plainest way: everything that was, and when. */
test("OutcomeWindow counts what a list would, slot by slot", () => {
  const events = fc.array(fc.tuple(fc.integer({ min: 0, max: 3000 }), fc.constantFrom("ok", "failed", "slow")), {
    maxLength: 60,
  });
  fc.assert(fc.property(events, (events) => {
    const window = new OutcomeWindow(1000);
    const seen: { at: number; what: string }[] = [];
    let now = 0;
    for (const [gap, what] of events) {
      now += gap;
      window.add(what as "ok", now); // one of the three
      seen.push({ at: now, what });
      const slot = Math.floor(now / 100);
      const held = seen.filter(({ at }) => Math.floor(at / 100) > slot - 10);
      expect(window.read(now)).toEqual({
        total: held.length,
        failed: held.filter(({ what }) => what === "failed").length,
        slow: held.filter(({ what }) => what === "slow").length,
      });
    }
  }));
});

/** Whatever endpoints do and however they come and go, no more are out than the policy says. */
test("never more endpoints are out than the floor allows", () => {
  const step = fc.record({
    who: fc.nat(9),
    what: fc.constantFrom("fail", "succeed", "probe", "adopt", "leave", "share"),
    gapMs: fc.nat(2000),
    percent: fc.nat(100),
  });
  fc.assert(fc.property(fc.integer({ min: 1, max: 10 }), fc.array(step, { maxLength: 120 }), (count, steps) => {
    let kept = 0;
    const floor = new EjectionFloor(() => kept++);
    let percent = 50;
    let members = Array.from({ length: count }, () => {
      const made = new EndpointBreaker(POLICY);
      made.setPolicy(POLICY, { ...EJECTION, minRequests: 3 }, floor);
      return made;
    });
    floor.use(members, percent);
    let now = 0;
    for (const { who, what, gapMs, percent: share } of steps) {
      now += gapMs;
      const member = members[who % members.length] as EndpointBreaker; // in range
      if (what === "fail") { for (let i = 0; i < 4; i++) member.onFailure(now, 0.5); }
      else if (what === "succeed") member.onSuccess(now, 500, 0.5);
      else if (what === "probe") member.onRequest(now);
      else if (what === "adopt") member.adopt(now, 1, 100);
      else if (what === "leave" && members.length > 1) members = members.filter((one) => one !== member);
      else if (what === "share") percent = share;
      // Only what changes the endpoints or the share makes room; between that the floor holds by itself.
      if (what === "leave" || what === "share") floor.use(members, percent);
      const out = members.filter(({ isOpen }) => isOpen).length;
      expect(out).toBeLessThanOrEqual(Math.floor((members.length * percent) / 100));
      expect(members.length - out).toBeGreaterThanOrEqual(Math.ceil(members.length * (1 - percent / 100)));
    }
    expect(kept).toBeGreaterThanOrEqual(0);
  }));
});
