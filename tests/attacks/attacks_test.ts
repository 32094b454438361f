/** Every attack at a small scale and one of its places, each with a test of its own; `deno task attacks` runs them at full size. */
import { beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDirect } from "../support/mesh.ts";
import type { Row } from "./_attack.ts";
import { FAMILIES, onePlaceEach } from "./_families.ts";

/** Share of the full size; a second or so for each. */
const SCALE = "0.02";
/** Longest wait of others, ms: wide, for busy machines. */
const MAX_WAIT = "10000";
/** All of them together take less than a minute on a quiet machine. */
const LIMIT_MS = 280_000;
setDefaultTimeout(LIMIT_MS);

const rows = new Map<string, Row>();
let output = "";

beforeAll(async () => {
  if (isDirect) return;
  const dir = mkdtempSync(join(tmpdir(), "tulle-attacks-"));
  try {
    const file = join(dir, "rows.json");
    const options = ["--scale", SCALE, "--max-wait", MAX_WAIT, "--keep", "--one-place", "--json", file];
    const argv = [process.execPath, join(import.meta.dirname, "run.ts"), ...options];
    const child = Bun.spawn(argv, { stdout: "pipe", stderr: "pipe" });
    const [stdout, stderr] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
    await child.exited;
    output = stdout + stderr;
    for (const row of (JSON.parse(readFileSync(file, "utf8")) as { rows: Row[] }).rows) rows.set(keyOf(row), row);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
  for (const line of output.split("\n")) if (line.startsWith("skipped: ")) console.log(line);
});

for (const [family, attacks] of Object.entries(onePlaceEach(FAMILIES))) {
  for (const attack of attacks) {
    const key = keyOf({ attack: attack.name, where: attack.place });
    test.skipIf(isDirect)(`${family}: ${attack.name} (${attack.place})`, () => {
      const row = rows.get(key);
      if (row === undefined && output.includes(`skipped: ${attack.name} (${attack.place})`)) return;
      expect(row?.problems ?? [`not run: ${output.slice(-2_000)}`]).toEqual([]);
    });
  }
}

function keyOf(row: { readonly attack: string; readonly where: string }): string {
  return `${row.attack} | ${row.where}`;
}
