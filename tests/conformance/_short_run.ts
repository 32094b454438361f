/** Runs the short part of a suite as its command does, for the tests. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SuiteResult } from "./suite.ts";

const ROOT = join(import.meta.dirname, "..", "..");

/** The result; null, after one line that says why, when the suite cannot run on this machine. Throws when it is red. */
export function conformanceRun(suite: string): SuiteResult | null {
  const folder = mkdtempSync(join(tmpdir(), "tulle-conformance-"));
  try {
    const file = join(folder, "result.json");
    const argv = [process.execPath, join(import.meta.dirname, "run.ts"), suite, "--quick", "--json", file];
    const run = Bun.spawnSync(argv, { cwd: ROOT });
    const output = run.stdout.toString() + run.stderr.toString();
    if (run.exitCode !== 0) throw new Error(output.slice(-4_000));
    const result = JSON.parse(readFileSync(file, "utf8")) as SuiteResult;
    if (result.skippedBecause === undefined) return result;
    console.log(output);
    return null;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
