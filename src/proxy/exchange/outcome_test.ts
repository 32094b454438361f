import { expect, test } from "bun:test";
import { ENDPOINT_FAILURES, isGrpcStatusIn } from "./outcome.ts";

test("isGrpcStatusIn() knows codes 0–16 only: a code beyond 31 must not wrap round to another one's bit", () => {
  expect([4, 13, 14, 15].map((status) => isGrpcStatusIn(status, ENDPOINT_FAILURES))).toEqual([true, true, true, true]);
  expect([-1, 0, 2, 5, 16, 36, 46, NaN].some((status) => isGrpcStatusIn(status, ENDPOINT_FAILURES))).toBe(false);
});
