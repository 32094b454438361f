/**
 * `deno task attacks -- [--json FILE] [--only REGEX] [--scale N]`: runs the attacks against real sidecars and prints the
 * table. Exit status 0 when each stayed within its bound and others were served. See README.md.
 */
import { rmSync, writeFileSync } from "node:fs";
import { findProgram } from "../support/process.ts";
import { type Attack, MAX_WAIT_MS, type Row, runAttack, Scale } from "./_attack.ts";
import { DEFENCES, withoutDefence } from "./_defences.ts";
import { FAMILIES, onePlaceEach } from "./_families.ts";
import { Rig } from "./_rig.ts";

const HELP = `deno task attacks -- [options]

  --json FILE    also write the rows as JSON
  --only REGEX   only attacks whose "family: name (place)" matches
  --scale N      share of the full size, 0.01 to 1 (default 1)
  --max-wait MS  longest wait of others that is accepted (default ${MAX_WAIT_MS})
  --one-place    each attack at one of its places only
  --keep         one mesh for all attacks instead of a new one for each
  --without NAME takes a defence out of a copy of the source ("all": each in turn) and shows that attacks succeed then:
                 ${Object.keys(DEFENCES).join(", ")}
`;

interface Options {
  readonly json: string | null;
  readonly only: RegExp;
  readonly scale: number;
  readonly keep: boolean;
  readonly onePlace: boolean;
  readonly maxWaitMs: number;
  readonly without: string | null;
}

/** Set in the process that has a network namespace of its own. */
const INSIDE = "TULLE_ATTACKS_INSIDE";

function parse(args: readonly string[]): Options | null {
  const options = {
    json: null as string | null,
    only: /(?:)/,
    scale: 1,
    keep: false,
    onePlace: false,
    maxWaitMs: MAX_WAIT_MS,
    without: null as string | null,
  };
  for (let at = 0; at < args.length; at++) {
    const arg = args[at];
    if (arg === "--") continue;
    else if (arg === "--keep") options.keep = true;
    else if (arg === "--one-place") options.onePlace = true;
    else if (arg === "--max-wait") options.maxWaitMs = Number(args[++at]);
    else if (arg === "--without") options.without = args[++at] ?? "";
    else if (arg === "--json") options.json = args[++at] ?? null;
    else if (arg === "--only") options.only = new RegExp(args[++at] ?? "");
    else if (arg === "--scale") options.scale = Number(args[++at]);
    else return null;
  }
  return options.scale > 0 && options.scale <= 1 ? options : null;
}

/** Takes a defence away. @returns whether an attack succeeded then, as it must */
function attackWithout(name: string): boolean {
  const defence = DEFENCES[name];
  if (defence === undefined) throw new Error(`no defence ${name}, want one of ${Object.keys(DEFENCES).join(", ")}`);
  const { folder, program } = withoutDefence(defence);
  try {
    const options = ["--only", defence.attacks, "--scale", String(defence.scale), "--max-wait", "60000"];
    const argv = [process.execPath, import.meta.filename, ...options];
    const { stdout } = Bun.spawnSync(argv, { env: { ...process.env, TULLE_BINARY: program }, stderr: "inherit" });
    const text = stdout.toString();
    const isShown = /^FAIL /m.test(text);
    const problems = text.split("\n").filter((line) => line.startsWith("       ")).map((line) =>
      line.trim().slice(0, 120)
    );
    console.log(
      `${isShown ? "ok  " : "FAIL"} without ${defence.what} (${name}): ${isShown ? problems.join("; ") : text}`,
    );
    return isShown;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Runs this program again in a network namespace of its own, where connections can be redirected; null: not possible here. */
function runInside(args: readonly string[]): number | null {
  const unshare = findProgram("unshare");
  const ip = findProgram("ip");
  if (unshare === null || ip === null) return null;
  for (const flags of [["--net"], ["--user", "--map-root-user", "--net"]]) {
    if (Bun.spawnSync([unshare, ...flags, "true"], { stderr: "ignore" }).exitCode !== 0) continue;
    const command = `${ip} link set lo up && exec "$0" "$@"`;
    const argv = [unshare, ...flags, "sh", "-c", command, process.execPath, import.meta.filename, ...args];
    return Bun.spawnSync(argv, { env: { ...process.env, [INSIDE]: "1" }, stdout: "inherit", stderr: "inherit" })
      .exitCode;
  }
  return null;
}

async function main(options: Options, isCaptured: boolean): Promise<readonly Row[]> {
  const rows: Row[] = [];
  const scale = new Scale(options.scale);
  let rig: Rig | null = null;
  for (const [family, attacks] of Object.entries(options.onePlace ? onePlaceEach(FAMILIES) : FAMILIES)) {
    for (const attack of attacks) {
      if (!options.only.test(`${family}: ${attack.name} (${attack.place})`)) continue;
      rig ??= await startRig(isCaptured);
      if (attack.place === "inbound" && rig.inboundMissing !== "") {
        console.log(`skipped: ${attack.name} (inbound): ${rig.inboundMissing}`);
        continue;
      }
      const row = await one(rig, family, attack, scale, options.maxWaitMs);
      rows.push(row);
      if (options.keep && row.ok) continue;
      await rig[Symbol.asyncDispose]();
      rig = null;
    }
  }
  await rig?.[Symbol.asyncDispose]();
  return rows;
}

/** Ports that were free a moment ago may be taken by the time a sidecar binds them: a second try finds others. */
async function startRig(isCaptured: boolean): Promise<Rig> {
  try {
    return await Rig.start(isCaptured);
  } catch {
    return await Rig.start(isCaptured);
  }
}

async function one(rig: Rig, family: string, attack: Attack, scale: Scale, maxWaitMs: number): Promise<Row> {
  const row = await runAttack(rig, attack, scale, maxWaitMs);
  const refused = Object.entries(row.refused).map(([reason, count]) => `${reason} ${count}`).join(", ");
  console.log(
    `${row.ok ? "ok  " : "FAIL"} ${`${family}: ${attack.name} (${attack.place})`.padEnd(90)} ` +
      `+${row.measured.toFixed(1).padStart(6)} of ${String(row.bound).padStart(3)} MB  ` +
      `others p50 ${row.othersP50Ms} p99 ${row.othersP99Ms} max ${row.othersMaxMs} ms, ${row.othersOk} ok  ` +
      `cpu ${row.cpuMs} ms in ${row.seconds} s  ${refused}  ${row.note}`,
  );
  for (const problem of row.problems) console.log(`       ${problem}`);
  return row;
}

const args = process.argv.slice(2);
const options = parse(args);
if (options === null) {
  console.log(HELP);
  process.exit(args.includes("--help") ? 0 : 2);
}
if (options.without !== null) {
  const names = options.without === "all" ? Object.keys(DEFENCES) : [options.without];
  process.exit(names.filter((name) => !attackWithout(name)).length);
}
const isInside = process.env[INSIDE] === "1";
const code = isInside ? null : runInside(args);
if (code !== null) process.exit(code);
const rows = await main(options, isInside);
const good = rows.filter((row) => row.ok).length;
console.log(`${good} of ${rows.length} attacks stayed within their bounds while others were served`);
if (options.json !== null) writeFileSync(options.json, JSON.stringify({ rows }, null, 1) + "\n");
process.exit(good === rows.length && rows.length > 0 ? 0 : 1);
