/** HPACK by the stories of others, as `deno task conformance -- hpack` runs them. */
import { expect, test } from "bun:test";
import { conformanceRun } from "./_short_run.ts";

test("header blocks of fourteen encoders are decoded, and ours are by Go", () => {
  const result = conformanceRun("hpack");
  if (result === null) return;
  expect(result.failures).toEqual([]);
  expect(result.passed).toBeGreaterThan(800);
}, 280_000);
