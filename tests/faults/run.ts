/**
 * The fault table in its full sizes: what happened, how many requests ran meanwhile, how many failed.
 *
 *     deno task faults -- --help
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { endpoints } from "./endpoints.ts";
import { stuck } from "./stuck.ts";
import { clocks } from "./clocks.ts";
import type { Fault, Size } from "./fault.ts";
import { limits } from "./limits.ts";
import { readOptions } from "./_options.ts";
import { inOwnNetwork, isOwnNetwork } from "./_net.ts";
import { networks } from "./networks.ts";

const FAMILIES: Readonly<Record<string, readonly Fault[]>> = { endpoints, stuck, clocks, limits, networks };

interface Row {
  readonly family: string;
  readonly fault: string;
  readonly requests: number;
  readonly failed: number;
  readonly retried: number;
  readonly note: string;
  readonly ok: boolean;
}

async function runFault(family: string, fault: Fault, size: Size): Promise<Row> {
  const row = { family, fault: fault.name };
  const missing = fault.missing?.() ?? null;
  if (missing !== null) return { ...row, requests: 0, failed: 0, retried: 0, note: `not run: ${missing}`, ok: true };
  try {
    const { requests, failed, retried, note, problems } = await fault.run(size);
    const text = [...problems.map((problem) => `WRONG: ${problem}`), note].filter((part) => part !== "").join("; ");
    return { ...row, requests, failed, retried, note: text, ok: problems.length === 0 };
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : String(cause);
    return { ...row, requests: 0, failed: 0, retried: 0, note: `could not be run: ${text}`, ok: false };
  }
}

/** Runs a family again in a network namespace of its own. */
function runInside(args: readonly string[]): Row[] {
  const folder = mkdtempSync(join(tmpdir(), "tulle-faults-"));
  const file = join(folder, "rows.json");
  try {
    const { argv, env } = inOwnNetwork([process.execPath, import.meta.path, ...args, "--json", file]);
    Bun.spawnSync(argv, { env: { ...process.env, ...env }, stdout: "inherit", stderr: "inherit" });
    return JSON.parse(readFileSync(file, "utf8")).rows;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const { json, only, size, sizeArgs } = readOptions(process.argv.slice(2));
const rows: Row[] = [];
for (const [family, faults] of Object.entries(FAMILIES)) {
  const chosen = faults.filter(({ name }) => only.test(`${family}: ${name}`));
  if (isOwnNetwork !== (family === "networks")) {
    const canRun = !isOwnNetwork && chosen.length > 0 && chosen.every((fault) => (fault.missing?.() ?? null) === null);
    if (canRun) rows.push(...runInside(["--only", only.source, ...sizeArgs]));
    if (isOwnNetwork || canRun) continue;
  }
  for (const fault of chosen) {
    const row = await runFault(family, fault, size);
    rows.push(row);
    console.log(
      `${row.ok ? "ok  " : "FAIL"} ${row.family}: ${row.fault}: ${row.failed} of ${row.requests} failed, ` +
        `${row.retried} retried${row.note === "" ? "" : ` (${row.note})`}`,
    );
  }
}
if (json !== null) await Bun.write(json, `${JSON.stringify({ date: new Date().toISOString(), rows }, null, 2)}\n`);
const bad = rows.filter((row) => !row.ok).length;
if (!isOwnNetwork) console.log(`${rows.length - bad} faults as they should be, ${bad} not`);
process.exit(bad === 0 && rows.length > 0 ? 0 : 1);
