/** `tulle migrate`: manifests of another mesh in, ours out; on stderr what is not the same afterwards. */
import { readFileSync, statSync } from "node:fs";
import { InvalidArgumentError } from "commander";
import { stringify } from "yaml";
import { UsageError } from "../../../src/base/error.ts";
import { collect, type Output as Form, parseOutput, runCommand, teachingCommand } from "../_command.ts";
import { MAX_FILE_BYTES } from "../../kube/parse_file.ts";
import { parseObjects, type PlainObject } from "../../kube/parse_objects.ts";
import { formatProblem, type Problem } from "../../kube/problem.ts";
import { listFiles } from "../../kube/read_folder.ts";
import { type Item, nameOf, type Output } from "./migration.ts";
import { translate } from "./translate.ts";

const STDIN = 0;
/** Something would be admitted that was not: a script should stop here. */
export const EXIT_WIDER = 3;
/** Most bytes of all manifests together: a cluster's policy and routes are a few; beyond that it is the wrong folder. */
const MAX_TOTAL_BYTES = 64 * MAX_FILE_BYTES;

interface MigrateOptions {
  readonly filename: readonly string[];
  readonly output: Form;
  readonly trustDomain: string;
  readonly rootNamespace: string;
  readonly faultsUntil: string;
  readonly all: boolean;
}

/** @param argv arguments after "migrate" */
export async function runMigrate(argv: readonly string[]): Promise<void> {
  const summary =
    "Translate manifests of Linkerd, Istio and SMI. Standard output gets YAML that `tulle install`ed admission " +
    "takes, each object with what it comes from; standard error gets a list of what is not the same afterwards. What cannot " +
    "be said exactly becomes stricter, or is listed as wider; then the exit code is 3.";
  const command = teachingCommand("migrate", summary, [
    "tulle migrate -f manifests/ > tulle.yaml",
    "tulle migrate -f istio.yaml -f services.yaml -o json 2> report.json | kubectl diff -f -",
    "kubectl get -A -o yaml ns,deploy,svc,virtualservices,destinationrules,authorizationpolicies.security.istio.io | tulle migrate -f -",
    "",
    "Give Services and workloads along with the other mesh's objects: ports, subsets and annotations are found in them.",
  ])
    .requiredOption("-f, --filename <file>", "a file, a folder, or - for standard input; may be given again", collect)
    .option("-o, --output <form>", "form of the list on standard error: table or json", parseOutput, "table")
    .option("--trust-domain <name>", "of the mesh that will run", "cluster.local")
    .option("--root-namespace <name>", "where Istio's mesh-wide policies are", "istio-system")
    .option(
      "--faults-until <time>",
      "when faults end, as 2026-01-31T12:00:00Z (default: in an hour)",
      parseTime,
      inAnHour(),
    )
    .option("--all", "write objects that need no change, too: for tulle up, and tulle policy lint", false)
    .action((options: MigrateOptions) => migrate(options));
  await runCommand(command, argv);
}

/** Long enough for a test that goes on while a mesh is changed; who needs longer says so. */
const FAULT_MS = 3_600_000;

function inAnHour(): string {
  return wholeSeconds(Date.now() + FAULT_MS);
}

function wholeSeconds(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
}

function parseTime(text: string): string {
  const ms = /^\d{4}-\d\d-\d\dT/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms)) throw new InvalidArgumentError("want a time such as 2026-01-31T12:00:00Z.");
  return wholeSeconds(ms);
}

function migrate({ filename, output, all, ...options }: MigrateOptions): void {
  const { objects, problems } = readAll(filename);
  const errors = problems.filter(({ severity }) => severity === "error");
  for (const problem of problems) process.stderr.write(`${formatProblem(problem)}\n`);
  // Half of a configuration may admit more than all of it.
  if (errors.length > 0) {
    throw new UsageError(
      `${errors.length} ${errors.length === 1 ? "problem" : "problems"} in the manifests: nothing was translated`,
    );
  }
  const { outputs, items, unchanged } = translate(objects, options);
  process.stdout.write([...all ? unchanged : [], ...outputs].map(document).join(""));
  if (output === "json") process.stderr.write(`${JSON.stringify({ objects: outputs.length, items }, null, 2)}\n`);
  else process.stderr.write(report(objects.length, outputs.length, items));
  if (items.some(({ effect }) => effect === "wider")) process.exitCode = EXIT_WIDER;
}

function readAll(names: readonly string[]): { objects: PlainObject[]; problems: Problem[] } {
  const objects: PlainObject[] = [];
  const problems: Problem[] = [];
  let bytes = 0;
  for (const name of names) {
    for (const file of name === "-" || !isFolder(name) ? [name] : listFiles(name)) {
      const text = readText(file);
      bytes += text.length;
      if (bytes > MAX_TOTAL_BYTES) {
        throw new UsageError(`found more than ${MAX_TOTAL_BYTES} bytes of manifests: translate them in parts`);
      }
      const parsed = parseObjects(file === "-" ? "standard input" : file, text);
      objects.push(...parsed.objects);
      problems.push(...parsed.problems);
    }
  }
  return { objects, problems };
}

function isFolder(name: string): boolean {
  try {
    return statSync(name).isDirectory();
  } catch {
    throw new UsageError(`${name} cannot be read: does it exist?`);
  }
}

function readText(name: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(name === "-" ? STDIN : name));
  } catch (error) {
    if (error instanceof TypeError) throw new UsageError(`${name} is not text in UTF-8`);
    throw new UsageError(`${name} cannot be read: does it exist, and may you read it?`);
  }
}

/** One YAML document, with where it comes from. */
export function document({ value, origins }: Output): string {
  const from = origins.map((origin) => `# from ${oneLine(`${nameOf(origin)} (${origin.file}:${origin.line})`)}\n`);
  return `---\n${from.join("")}${stringify(value, { aliasDuplicateObjects: false, lineWidth: 0 })}`;
}

function report(read: number, written: number, items: readonly Item[]): string {
  const lines = items.map(({ effect, object, field, file, line, reason }) => {
    return `${effect.padEnd(8)}  ${object}  ${field === "" ? "" : `${field}: `}${reason}  (${file}:${line})`;
  });
  const count = (effect: string) => items.filter((item) => item.effect === effect).length;
  const counts = ["wider", "stricter", "lost", "note"].map((effect) => `${count(effect)} ${effect}`).join(", ");
  return [...lines.map(oneLine), `${read} objects read, ${written} written: ${counts}`, ""].join("\n");
}

/** Names and reasons come from manifests of others: they must not make lines, or move a terminal's cursor. */
function oneLine(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029]/g, "?");
}
