import { expect, test } from "bun:test";
import { niceOf } from "./machine.ts";

test("niceOf() reads what the kernel writes, and null where there is nothing", () => {
  expect([niceOf("/autogroup-17 nice -15\n"), niceOf("/autogroup-1 nice 0\n"), niceOf("")]).toEqual([-15, 0, null]);
});
