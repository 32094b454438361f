import { expect, test } from "bun:test";
import { SELF_TEST_IPV4, SELF_TEST_PORT } from "../../capture/capture_plan.ts";
import { SelfTest } from "./self_test.ts";

test("takes() passes for a connection to the self-test address alone", () => {
  const selfTest = new SelfTest();
  expect(selfTest.takes({ ip: "10.0.0.1", port: SELF_TEST_PORT })).toBe(false);
  expect(selfTest.takes({ ip: SELF_TEST_IPV4, port: 80 })).toBe(false);
  expect(selfTest.passed).toBe(false);
  expect(selfTest.takes({ ip: SELF_TEST_IPV4, port: SELF_TEST_PORT })).toBe(true);
  expect(selfTest.passed).toBe(true);
});
