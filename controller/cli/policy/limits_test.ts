import { expect, test } from "bun:test";
import { faultText } from "./limits.ts";

const FAULT: Parameters<typeof faultText>[0] = {
  policy: { group: "policy.tulle.dev", kind: "FaultInjection", namespace: "shop", name: "f", section: "" },
  share: 2550,
  identities: [],
  untilMs: Date.parse("2026-01-31T12:00:00Z"),
  delayMs: 0,
  httpStatus: 0,
  grpcStatus: 0,
  reset: false,
  requestBytesPerSecond: 0,
  responseBytesPerSecond: 0,
};

test.each([
  [{ delayMs: 2000, httpStatus: 503 }, "wait 2s, then get 503"],
  [{ reset: true }, "are reset"],
  [{ requestBytesPerSecond: 5, responseBytesPerSecond: 9 }, "send 5 bytes/s, then receive 9 bytes/s"],
])("faultText() of %j", (spec, what) => {
  expect(faultText({ ...FAULT, ...spec }))
    .toBe(`FaultInjection shop/f: 25.5 % ${what}; until 2026-01-31T12:00:00.000Z`);
});
