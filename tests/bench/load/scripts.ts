/** Runs our own load generators as processes and reads their one line of result. */
import { join } from "node:path";
import { startProcess } from "../../support/process.ts";
import type { LoadResult, Marks } from "./result.ts";

/**
 * Runs a generator of this folder. It prints "begin" and "end" around its measured time, then its result as JSON.
 * Rejects with what it said when it fails.
 */
export async function runScript(
  script: "open_loop.ts" | "opaque_client.ts",
  args: readonly (string | number)[],
  options: { readonly core: number; readonly limitMs: number },
  marks: Marks,
): Promise<LoadResult> {
  await using child = startProcess({
    argv: [process.execPath, join(import.meta.dirname, script), ...args.map(String)],
    name: script,
    core: options.core,
  });
  await child.waitForOutput(/begin\n/, options.limitMs);
  marks.begin();
  await child.waitForOutput(/end\n/, options.limitMs);
  marks.end();
  const line = (await child.waitForOutput(/\{.*\}\n/, options.limitMs))[0];
  await child.exited;
  const read = JSON.parse(line) as Record<string, number | null>; // written by our own script
  return {
    count: read["count"] ?? 0,
    seconds: read["seconds"] ?? NaN,
    failed: read["failed"] ?? 0,
    p50Us: read["p50Us"] ?? NaN,
    p99Us: read["p99Us"] ?? NaN,
  };
}
