/** `deno task bench`: tulle beside HAProxy, nghttpx and nginx, in interleaved rounds of one run. See options.ts. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Case, CASES, type Load } from "./cases.ts";
import { loadKey, measure, type Measurement } from "./measure.ts";
import { type BenchOptions, parseOptions } from "./options.ts";
import { loadAverage, machineText, type Report, type Row, rowOf, tableOf } from "./report.ts";
import { type Rig, startRig, type Subject } from "./rig.ts";
import { directSubject, startSubjects } from "./subjects.ts";

const options = parseOptions(process.argv.slice(2));
if ("stop" in options) {
  process.stdout.write(options.stop);
  process.exit(options.code);
}

const say = (line: string) => console.log(line);
const dir = mkdtempSync(join(tmpdir(), "tulle-bench-"));
const subjects: Subject[] = [];
const stack = new AsyncDisposableStack();
stack.defer(() => rmSync(dir, { recursive: true, force: true }));
let interrupted = false;
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    interrupted = true;
    void stack.disposeAsync().finally(() => process.exit(130));
  });
}

try {
  const load = loadAverage();
  if (load > 0.7) say(`note: load average ${load}; other work on this machine shows in every figure`);
  const rig = stack.use(await startRig(dir));
  const selected = CASES.filter((item) => options.cases.test(item.name));
  for (const shape of ["hop", "pair"] as const) {
    if (!selected.some((item) => item.shape === shape)) continue;
    for (const subject of await startSubjects(rig, shape, options, say)) {
      stack.use(subject);
      subjects.push(subject);
    }
  }
  const warmed = new Set<string>();
  const rows: Row[] = [];
  const base = new Map<string, Row>();
  for (const item of selected) {
    if (interrupted) break;
    await warmUp(rig, item, options, warmed);
    const found = await runCase(rig, item, options, base);
    rows.push(...found);
    say(tableOf(item, found) + "\n");
  }
  const report: Report = { machine: machineText(), date: new Date().toISOString(), loadAverage: load, rows };
  say(`${report.machine}; ${options.rounds} round(s) of ${options.runMs} ms`);
  if (options.json !== null) writeFileSync(options.json, JSON.stringify(report, null, 1) + "\n");
} catch (cause) {
  console.error(cause instanceof Error ? cause.message : cause);
  process.exitCode = 1;
} finally {
  if (!interrupted) await stack.disposeAsync();
}

/** One unmeasured run per proxy and protocol before its first case. */
async function warmUp(rig: Rig, item: Case, chosen: BenchOptions, warmed: Set<string>): Promise<void> {
  if (item.load.kind !== "http") return;
  const { protocol } = item.load;
  const load: Load = { ...item.load, clients: protocol === "h1" ? 256 : 4, streams: protocol === "h1" ? 1 : 32 };
  for (const subject of subjects) {
    const key = `${subject.proxy} ${subject.shape} ${protocol}`;
    if (subject.shape !== item.shape || warmed.has(key)) continue;
    warmed.add(key);
    if (item.shape === "hop" && subject.proxy !== "tulle") continue; // nothing to prepare
    await tryMeasure(rig, subject, { ...item, load }, { ...chosen, warmMs: chosen.prepareMs[protocol], runMs: 50 });
  }
}

/** All rounds of one case, interleaved over its subjects; `base` keeps the direct figures of loads seen before. */
async function runCase(rig: Rig, item: Case, chosen: BenchOptions, base: Map<string, Row>): Promise<Row[]> {
  const taking = subjects.filter((subject) => subject.shape === item.shape);
  const known = base.get(loadKey(item));
  if (chosen.proxies.includes("direct") && item.load.kind !== "idle" && known === undefined) {
    taking.unshift(directSubject(rig));
  }
  if (item.load.kind === "idle") await Bun.sleep(chosen.idleMs);
  const rounds = new Map<Subject, Measurement[]>();
  const count = item.load.kind === "idle" ? 1 : chosen.rounds;
  for (let round = 0; round < count && !interrupted; round++) {
    for (const subject of taking) {
      const once = await tryMeasure(rig, subject, item, chosen);
      if (once !== null) rounds.set(subject, [...(rounds.get(subject) ?? []), once]);
    }
  }
  const rows = taking.filter((subject) => rounds.has(subject))
    .map((subject) => rowOf(item, subject.proxy, rounds.get(subject) ?? []));
  const direct = rows.find((row) => row.proxy === "direct");
  if (direct !== undefined) base.set(loadKey(item), direct);
  return known === undefined ? rows : [{ ...known, case: item.name }, ...rows];
}

async function tryMeasure(rig: Rig, subject: Subject, item: Case, chosen: BenchOptions): Promise<Measurement | null> {
  try {
    return await measure(rig, subject, item.load, chosen);
  } catch (cause) {
    say(`${item.name} ${subject.proxy}: ${cause instanceof Error ? cause.message : String(cause)}`);
    return null;
  }
}
