/** Runs the corpus of request smuggling as `deno task conformance -- http1 --quick` does. */
import { expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDirect } from "../support/mesh.ts";

const root = join(import.meta.dirname, "..", "..");

test.skipIf(isDirect)("no variant of request smuggling is read in two ways, and each is dealt with as expected", () => {
  const folder = mkdtempSync(join(tmpdir(), "tulle-http1-test-"));
  try {
    const file = join(folder, "result.json");
    const argv = [process.execPath, join(import.meta.dirname, "run.ts"), "http1", "--quick", "--json", file];
    const run = Bun.spawnSync(argv, { cwd: root });
    const output = run.stderr.toString() + run.stdout.toString();
    expect(output).toContain("http1");
    const result = JSON.parse(readFileSync(file, "utf8")) as {
      passed: number;
      skippedBecause?: string;
      failures: unknown[];
    };
    if (result.skippedBecause !== undefined) return console.log(`skipped: http1: ${result.skippedBecause}`);
    expect(result.failures).toEqual([]);
    expect(run.exitCode).toBe(0);
    expect(result.passed).toBeGreaterThan(1_000);
  } finally {
    rmSync(folder, { recursive: true });
  }
}, 280_000);
