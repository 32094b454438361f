/** A part of the Autobahn test suite's cases, as `deno task conformance -- websocket --quick` plays them. */
import { expect, test } from "bun:test";
import { conformanceRun } from "./_short_run.ts";

test("WebSockets through the mesh end as direct ones do, over HTTP/1.1 and HTTP/2", () => {
  const result = conformanceRun("websocket");
  if (result === null) return;
  expect(result.failures).toEqual([]);
  expect(result.passed).toBeGreaterThan(300);
}, 280_000);
