/** Runs h2spec as `deno task conformance -- h2spec` does, so that a regression shows before a release. */
import { expect, test } from "bun:test";
import { conformanceRun } from "./_short_run.ts";

for (const suite of ["h2spec", "h2spec-inbound"]) {
  test(`${suite} finds nothing that is not on the list of known failures`, () => {
    const result = conformanceRun(suite);
    if (result === null) return;
    expect(result.failures).toEqual([]);
    expect(result.passed).toBeGreaterThan(140);
  }, 280_000);
}
