/**
 * Runs the tests and ends with one line: "N passed, N failed" (and skipped, when some were).
 *
 * Unit tests share a process. Each file of integration tests has its own, so that a crash or a hang costs one file, and so that
 * what a test started ends with it. The files of a cluster, which wait more than they work, run beside the others. Arguments:
 * `unit`, `integration` or `kubernetes` for a part, or paths of test files.
 */
import { Glob } from "bun";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { installPackages } from "./setup.ts";
import { addCounts, type Counts, countsLine, readReport } from "./test_report.ts";

/** Longest time for one file of integration tests, milliseconds. */
const FILE_MS = 8 * 60_000;
/** Longest time for one test that names none, milliseconds: properties take seconds on a busy machine. */
const TEST_MS = 60_000;
/** Longest time for the unit tests, milliseconds. */
const UNIT_MS = 3 * 60_000;
/** Longest time for everything, milliseconds: a quiet machine takes half of it, and the line at the end must be written. */
const TOTAL_MS = 40 * 60_000;
/** Files that have a cluster of their own. */
const CLUSTER_FILES = "tests/kubernetes/";

const root = new URL("../../", import.meta.url).pathname;
const bun = `${root}node_modules/.bin/bun`;
const started = Date.now();
const scratch = mkdtempSync(join(tmpdir(), "tulle-test-"));

interface Run {
  readonly counts: Counts;
  readonly output: string;
  readonly isTimedOut: boolean;
}

/** Runs `bun test` on paths in a process group of its own, and ends what is left of the group. */
async function runBunTest(paths: readonly string[], limitMs: number): Promise<Run> {
  const report = join(scratch, `${crypto.randomUUID()}.xml`);
  const child = Bun.spawn([
    bun,
    "test",
    "--only-failures",
    `--timeout=${TEST_MS}`,
    "--reporter=junit",
    `--reporter-outfile=${report}`,
    ...paths,
  ], {
    cwd: root,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    detached: true,
    env: { ...process.env, NO_COLOR: "1" },
  });
  let isTimedOut = false;
  const timer = setTimeout(() => {
    isTimedOut = true;
    endGroup(child.pid);
  }, limitMs);
  const exited = child.exited.then(() => endGroup(child.pid));
  const [stdout, stderr] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    exited,
  ]);
  clearTimeout(timer);
  const output = stdout + stderr;
  return { counts: readReport(readOrEmpty(report), output, child.exitCode ?? 1), output, isTimedOut };
}

/** Ends the processes that a run left behind; the group was made for it alone. */
function endGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // The group is empty: nothing was left.
  }
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

async function runAndPrint(name: string, paths: readonly string[], limitMs: number): Promise<Counts> {
  const left = TOTAL_MS - (Date.now() - started);
  if (left < 1000) {
    console.log(`FAIL  ${name}: not run, the tests before it took ${TOTAL_MS / 60_000} minutes`);
    return { passed: 0, failed: 1, skipped: 0 };
  }
  const since = Date.now();
  const run = await runBunTest(paths, Math.min(limitMs, left));
  const seconds = ((Date.now() - since) / 1000).toFixed(1);
  const isGood = run.counts.failed === 0;
  console.log(`${isGood ? "ok   " : "FAIL "} ${name}: ${countsLine(run.counts)} in ${seconds} s`);
  if (run.isTimedOut) console.log(`      ended: it took longer than ${Math.min(limitMs, left) / 1000} s`);
  for (const line of run.output.split("\n")) {
    // Tests say why they are skipped; of good tests nothing else is of interest.
    if (!isGood ? !line.startsWith("(pass)") && line.trim() !== "" : /^skipped: /.test(line)) {
      console.log(`      ${line}`);
    }
  }
  return run.counts;
}

async function main(args: readonly string[]): Promise<Counts> {
  const paths = args.filter((arg) => !["--", "unit", "integration", "kubernetes"].includes(arg));
  if (paths.length > 0) return await runAndPrint(paths.join(" "), paths.map((path) => `./${path}`), TOTAL_MS);
  if (args.includes("kubernetes")) return await runInTurn(integrationFiles().filter(hasCluster));
  const isAll = !args.includes("unit") && !args.includes("integration");
  let total: Counts = { passed: 0, failed: 0, skipped: 0 };
  if (isAll || args.includes("integration")) {
    const line = installPackages();
    if (line !== "") console.log(`setup: ${line}`);
  }
  if (isAll || args.includes("unit")) {
    total = addCounts(total, await runAndPrint("unit tests", ["./src", "./controller", "./tests/tools"], UNIT_MS));
  }
  if (isAll || args.includes("integration")) {
    const files = integrationFiles();
    const lanes = [files.filter((path) => !hasCluster(path)), files.filter(hasCluster)];
    for (const counts of await Promise.all(lanes.map(runInTurn))) total = addCounts(total, counts);
  }
  return total;
}

function integrationFiles(): string[] {
  const files = [...new Glob("tests/**/*_test.ts").scanSync({ cwd: root })].sort();
  return files.filter((path) => !path.startsWith("tests/tools/"));
}

function hasCluster(path: string): boolean {
  return path.startsWith(CLUSTER_FILES);
}

async function runInTurn(files: readonly string[]): Promise<Counts> {
  let total: Counts = { passed: 0, failed: 0, skipped: 0 };
  for (const file of files) total = addCounts(total, await runAndPrint(file, [`./${file}`], FILE_MS));
  return total;
}

try {
  const total = await main(process.argv.slice(2));
  console.log(countsLine(total));
  process.exitCode = total.failed === 0 && total.passed > 0 ? 0 : 1;
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
