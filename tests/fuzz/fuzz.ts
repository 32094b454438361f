/**
 * `deno task fuzz -- [TARGET…] [--for 60s] [--seed N] [--save]`: runs fuzz targets, each in a process of its own. Exit status 1
 * when something was found.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeFinding } from "./corpus_files.ts";
import type { Progress } from "./session.ts";
import { loadTarget, TARGET_NAMES } from "./targets.ts";
import type { WorkerOptions } from "./worker.ts";

const HELP = `deno task fuzz -- [TARGET…] [--for 60s] [--seed N] [--input FILE] [--save] [--no-coverage]

  --for TIME     how long each target runs (30s, 10m, 2h); default 60s
  --seed N       repeats a run; default: another one each time, and printed
  --input FILE   runs one input of one target, for instance a finding
  --save         keeps the smallest inputs that pass all branches in tests/fuzz/corpus
  --no-coverage  nothing is counted: more inputs a second, and a corpus that does not grow

Targets: ${TARGET_NAMES.join(", ")}
`;

/** An input of this length must be done by then; far above what the session takes for slow. */
const HANG_MS = 120_000;
/** Room for the input that runs. */
const CURRENT_BYTES = 1 << 20;

interface Options {
  readonly targets: readonly string[];
  readonly seconds: number;
  readonly seed: number;
  readonly input: string | null;
  readonly saves: boolean;
  readonly hasCoverage: boolean;
}

type Line =
  | { readonly kind: "progress" } & Progress
  | { readonly kind: "done"; readonly found: readonly { message: string; input: string }[] } & Progress
  | { readonly kind: "replayed"; readonly message: string | null };

const options = readOptions(process.argv.slice(2).filter((arg) => arg !== "--"));
const scratch = mkdtempSync(join(tmpdir(), "tulle-fuzz-"));
let findings = 0;
let tried = 0;
try {
  console.log(`seed ${options.seed}`);
  for (const name of options.targets) {
    const { about } = await loadTarget(name);
    console.log(`${name}: ${about}`);
    findings += await runTarget(name, options);
  }
  if (options.input === null) console.log(`${tried} inputs tried, ${findings} findings`);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
process.exit(findings > 0 ? 1 : 0);

/** @returns the number of findings */
async function runTarget(target: string, { seconds, seed, input, saves, hasCoverage }: Options): Promise<number> {
  const current = join(scratch, "current");
  const file = join(scratch, "options.json");
  writeFileSync(current, new Uint8Array(CURRENT_BYTES));
  const worker: WorkerOptions = { target, seconds, seed, input, saves, hasCoverage, current };
  writeFileSync(file, JSON.stringify(worker));
  const child = Bun.spawn([process.execPath, join(import.meta.dirname, "worker.ts"), file], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  let count = 0;
  let isDone = false;
  let hang = setTimeout(() => child.kill("SIGKILL"), HANG_MS);
  const errors = new Response(child.stderr).text();
  for await (const line of linesOf(child.stdout)) {
    clearTimeout(hang);
    hang = setTimeout(() => child.kill("SIGKILL"), HANG_MS);
    if (line.kind === "progress") print(target, line);
    else if (line.kind === "replayed") {
      isDone = true;
      if (line.message !== null) count++;
      console.log(line.message ?? "nothing found");
    } else {
      isDone = true;
      tried += line.tried;
      print(target, line);
      for (const { message, input: encoded } of line.found) report(message, Buffer.from(encoded, "base64"));
    }
  }
  clearTimeout(hang);
  await child.exited;
  if (!isDone) {
    const bytes = new Uint8Array(readFileSync(current));
    const length = new DataView(bytes.buffer).getUint32(0);
    report(`the process ended (${child.signalCode ?? child.exitCode}): ${await errors}`, bytes.slice(4, 4 + length));
  }
  return count;

  function report(message: string, bytes: Uint8Array): void {
    count++;
    const path = writeFinding(target, bytes);
    console.log(
      `FOUND ${target}: ${message}\n  ${JSON.stringify(Buffer.from(bytes).toString("latin1").slice(0, 500))}`,
    );
    console.log(`  again: deno task fuzz -- ${target} --input ${path}`);
  }
}

function print(target: string, { tried, seconds, corpus, branches, findings }: Progress): void {
  const rate = Math.round(tried / Math.max(seconds, 0.001));
  console.log(
    `  ${target}: ${tried} inputs in ${
      seconds.toFixed(0)
    } s (${rate}/s), corpus ${corpus}, ${branches} branches, ${findings} findings`,
  );
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<Line> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const chunk of stream) {
    text += decoder.decode(chunk, { stream: true });
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n")) {
      const line = text.slice(0, end);
      text = text.slice(end + 1);
      if (line.startsWith("{")) yield JSON.parse(line) as Line; // the worker's lines
      else console.log(`  ${line}`);
    }
  }
}

function readOptions(args: readonly string[]): Options {
  const targets: string[] = [];
  let seconds = 60;
  let seed = Date.now() % 1_000_000;
  let input: string | null = null;
  let saves = false;
  let hasCoverage = true;
  const rest = [...args];
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    if (arg === "--help" || arg === "-h") exit(HELP, 0);
    else if (arg === "--for") seconds = readSeconds(rest.shift() ?? "");
    else if (arg === "--seed") seed = Number(rest.shift());
    else if (arg === "--input") input = rest.shift() ?? "";
    else if (arg === "--save") saves = true;
    else if (arg === "--no-coverage") hasCoverage = false;
    else if (TARGET_NAMES.includes(arg)) targets.push(arg);
    else exit(`fuzz: no target or option "${arg}"\n\n${HELP}`, 2);
  }
  if (!Number.isSafeInteger(seed)) exit("fuzz: --seed wants a whole number", 2);
  if (input !== null && targets.length !== 1) exit("fuzz: --input goes with one target", 2);
  return { targets: targets.length > 0 ? targets : TARGET_NAMES, seconds, seed, input, saves, hasCoverage };
}

function readSeconds(text: string): number {
  const found = /^(\d+)(s|m|h)$/.exec(text);
  if (found === null) exit(`fuzz: --for wants a time such as 30s, 10m or 2h, found "${text}"`, 2);
  return Number(found[1]) * ({ s: 1, m: 60, h: 3600 }[found[2] ?? "s"] ?? 1);
}

function exit(text: string, code: number): never {
  console.log(text);
  process.exit(code);
}
