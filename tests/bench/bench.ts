/** `deno task bench`: tulle beside other proxies, in interleaved rounds of one run. See options.ts for the command line. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CASES } from "./cases.ts";
import { BUSY_LOAD, loadAverage, quietDown } from "./machine.ts";
import { casesOf, parseOptions } from "./options.ts";
import { durationText, plannedMs, remainingMs } from "./plan.ts";
import { startRig } from "./rig.ts";
import { rewritePage, writePage, writeReport } from "./output.ts";
import { versionText } from "./programs.ts";
import { machineText, type Report } from "./rows.ts";
import { Runner } from "./runner.ts";
import { tableOf } from "./table.ts";

/** A quick run ends within a minute, whatever the machine does: what does not fit is left out. */
const QUICK_BUDGET_MS = 50_000;

const options = parseOptions(process.argv.slice(2), CASES);
if ("stop" in options) {
  process.stdout.write(options.stop);
  process.exit(options.code);
}

const say = (line: string) => console.log(line);
if (options.from !== null) process.exit(rewritePage(options, options.from, say));

const startedAt = performance.now();
const dir = mkdtempSync(join(tmpdir(), "tulle-bench-"));
const stack = new AsyncDisposableStack();
stack.defer(() => rmSync(dir, { recursive: true, force: true }));
let runner: Runner | null = null;
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    if (runner !== null) runner.interrupted = true;
    void stack.disposeAsync().finally(() => process.exit(130));
  });
}

try {
  const load = loadAverage();
  const quiet = stack.use(quietDown());
  for (const problem of quiet.problems) say(`note: ${problem}`);
  if (load > BUSY_LOAD) say(`note: load average ${load}; other work on this machine shows in every figure`);
  const cases = casesOf(options, CASES);
  const rig = stack.use(await startRig(dir, say));
  runner = stack.use(new Runner(rig, options));
  const planned = plannedMs(options, cases);
  const total = remainingMs(planned, 0, 0);
  const bound = options.quick && options.cases === null ? Math.min(total, QUICK_BUDGET_MS) : total;
  const version = versionText();
  const report = (): Report => ({
    machine: machineText(),
    date: new Date().toISOString(),
    version,
    loadAverage: load,
    rounds: options.rounds,
    runMs: options.runMs,
    rows: runner?.rows ?? [],
  });
  say(`${cases.length} cases, ${options.rounds} round(s) of ${options.runMs} ms: about ${durationText(bound)}\n`);
  for (const [at, item] of cases.entries()) {
    const elapsed = performance.now() - startedAt;
    if (options.quick && options.cases === null && elapsed > QUICK_BUDGET_MS) {
      say(`skip ${item.name}: the minute of a quick run is over`);
      continue;
    }
    const rows = await runner.run(item, cases);
    if (runner.interrupted) break;
    if (rows.length > 0) say(tableOf(item, rows));
    if (options.json !== null) writeReport(options.json, report()); // a long run that is cut short is not lost
    const left = remainingMs(planned, at + 1, performance.now() - startedAt);
    say(at + 1 < cases.length ? `  ${at + 1} of ${cases.length}, about ${durationText(left)} left\n` : "");
  }
  const took = durationText(performance.now() - startedAt);
  say(`${machineText()}; ${options.rounds} round(s) of ${options.runMs} ms; took ${took}`);
  writePage(options, report(), say);
} catch (cause) {
  console.error(cause instanceof Error ? cause.message : cause);
  process.exitCode = 1;
} finally {
  if (runner?.interrupted !== true) await stack.disposeAsync();
}
