/** The Gateway API's conformance suite for meshes, as `deno task conformance -- gateway-api` runs it. */
import { expect, test } from "bun:test";
import { conformanceRun } from "../conformance/_short_run.ts";
import { TEST_BED } from "./support/test_bed.ts";

/** Tests that the suite has for a mesh at the version of the test bed, all of which the mesh claims to pass. */
const TESTS = 22;

test.skipIf(TEST_BED === null)("every test of the Gateway API's profiles for a mesh passes", () => {
  const result = conformanceRun("gateway-api");
  expect(result?.failures).toEqual([]);
  expect(result?.passed).toBeGreaterThanOrEqual(TESTS);
}, 440_000);
