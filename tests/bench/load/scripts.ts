/** Runs our own load generators as processes and reads their one line of result. */
import { join } from "node:path";
import { startProcess } from "../../support/process.ts";
import type { LoadResult, Marks } from "./result.ts";

export type Script =
  | "open_loop.ts"
  | "closed_loop.ts"
  | "opaque_client.ts"
  | "connect_loop.ts"
  | "hold_connections.ts"
  | "mixed_load.ts";

/**
 * Runs a generator of this folder. It prints "begin" and "end" around its measured time, then its result as JSON.
 * Rejects with what it said when it fails.
 */
export async function runScript(
  script: Script,
  args: readonly (string | number)[],
  options: { readonly core: number; readonly limitMs: number; readonly say: (line: string) => void },
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
  const said = child.stderr().trim();
  const read = JSON.parse(line) as LoadResult; // written by our own script; JSON has null for NaN
  if (read.failed > 0 && said !== "") options.say(`${script}: ${said.split("\n")[0]}`);
  return {
    ...read,
    p50Us: read.p50Us ?? NaN,
    p99Us: read.p99Us ?? NaN,
    p999Us: read.p999Us ?? NaN,
  };
}
