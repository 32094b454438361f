/** A part of the gRPC interoperability cases, as `deno task conformance -- grpc-interop --quick` runs them. */
import { expect, test } from "bun:test";
import { conformanceRun } from "./_short_run.ts";

test("gRPC calls through the mesh end as direct ones do", () => {
  const result = conformanceRun("grpc-interop");
  if (result === null) return;
  expect(result.failures).toEqual([]);
  expect(result.passed).toBeGreaterThan(90);
}, 280_000);
