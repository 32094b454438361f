/** Runs h2spec as `deno task conformance -- h2spec` does, so that a regression shows before a release. */
import { expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = join(import.meta.dirname, "..", "..");
const hasGo = Bun.which("go") !== null;
if (!hasGo) console.log("h2spec: skipped, `go` is not installed and builds it");

test.skipIf(!hasGo)("h2spec finds nothing that is not on the list of known failures", () => {
  const folder = mkdtempSync(join(tmpdir(), "tulle-h2spec-"));
  try {
    const file = join(folder, "result.json");
    const run = Bun.spawnSync([process.execPath, join(import.meta.dirname, "run.ts"), "h2spec", "--json", file], {
      cwd: root,
    });
    expect(run.stderr.toString() + run.stdout.toString()).toContain("h2spec");
    expect(run.exitCode).toBe(0);
    const result = JSON.parse(readFileSync(file, "utf8")) as { passed: number; failed: number };
    expect(result.failed).toBe(0);
    expect(result.passed).toBeGreaterThan(140);
  } finally {
    rmSync(folder, { recursive: true });
  }
}, 180_000);
