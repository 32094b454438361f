import { expect, test } from "bun:test";
import fc from "fast-check";
import type { Fault } from "../../model/fault.ts";
import { NO_RESOURCE } from "../../model/resource.ts";
import { chooseFault, faultFailure } from "./fault.ts";

const FAULT: Fault = {
  policy: { ...NO_RESOURCE, namespace: "shop", name: "f" },
  share: 10_000,
  identities: [],
  untilMs: 1000,
  delayMs: 0,
  httpStatus: 503,
  grpcStatus: 0,
  reset: false,
  requestBytesPerSecond: 0,
  responseBytesPerSecond: 0,
};

test("a fault is over at its time, whatever else it says", () => {
  fc.assert(fc.property(fc.nat(2000), fc.double({ min: 0, max: 0.999, noNaN: true }), (now, random) => {
    expect(chooseFault([FAULT], "", now, () => random)).toBe(now < 1000 ? FAULT : null);
  }));
  expect([999, 1000, 1001].map((now) => chooseFault([FAULT], "", now, () => 0) !== null)).toEqual([true, false, false]);
});

test("it is for the identities that it names, and for its share of requests", () => {
  const only = { ...FAULT, identities: ["spiffe://td/a"] };
  expect(chooseFault([only], "spiffe://td/b", 0, () => 0)).toBeNull();
  expect(chooseFault([only, FAULT], "spiffe://td/b", 0, () => 0)).toBe(FAULT);
  expect(chooseFault([only], "spiffe://td/a", 0, () => 0)).toBe(only);
  const some = { ...FAULT, share: 2500 };
  expect([0, 0.249, 0.25, 0.9].map((random) => chooseFault([some], "", 0, () => random) !== null)).toEqual(
    [true, true, false, false],
  );
  expect(chooseFault([{ ...FAULT, share: 0 }], "", 0, () => 0)).toBeNull();
});

test("what a request ends with; a delay alone ends nothing", () => {
  expect(faultFailure({ ...FAULT, httpStatus: 0, delayMs: 5 })).toBeNull();
  expect(faultFailure(FAULT)).toMatchObject({ code: "fault_injected", status: 503 });
  expect(faultFailure({ ...FAULT, httpStatus: 0, grpcStatus: 8 })).toMatchObject({ grpc: 8 });
  expect(faultFailure({ ...FAULT, httpStatus: 0, reset: true })).toMatchObject({ isReset: true });
});
