/** A part of the Connect project's conformance suite, as `deno task conformance -- connect --quick` runs it. */
import { expect, test } from "bun:test";
import { conformanceRun } from "./_short_run.ts";

test("Connect, gRPC and gRPC-Web calls through the mesh are what the suite wants", () => {
  const result = conformanceRun("connect");
  if (result === null) return;
  expect(result.failures).toEqual([]);
  expect(result.passed).toBeGreaterThan(1_000);
}, 280_000);
