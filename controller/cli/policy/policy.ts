/** `tulle policy`: understand and change policy without surprises. */
import { Argument } from "commander";
import { UsageError } from "../../../src/base/error.ts";
import { flowRequest } from "../../../src/proxy/explain.ts";
import { decodeResource } from "../../kube/decode.ts";
import { keyOf, type Kind, type Resource } from "../../kube/resources.ts";
import { collect, type Output, parseOutput, runCommand, teachingCommand } from "../_command.ts";
import { runInside } from "../find_mesh.ts";
import { localMesh, type MeshOptions, openState, withManifests, withMeshOptions } from "./_mesh_options.ts";
import { collectFlows, type FlowOptions } from "./flow_source.ts";
import { lint } from "./lint.ts";
import type { LintFinding } from "./lint_finding.ts";
import { POLICY_KINDS, readManifests } from "./mesh_state.ts";
import { MeshView, type Subject } from "./mesh_view.ts";
import { outcome, type Replay, replay, replayText } from "./replay.ts";
import { type Refused, suggest, type Suggestion, suggestionText } from "./suggestion.ts";

const VERBS: Readonly<Record<string, (argv: readonly string[]) => Promise<void>>> = {
  lint: runLint,
  replay: runReplay,
  suggest: runSuggest,
  flows: runFlows,
};

/** @param argv arguments after "policy" */
export async function runPolicy(argv: readonly string[]): Promise<void> {
  const [verb, ...rest] = argv;
  const run = verb === undefined ? undefined : VERBS[verb];
  if (run !== undefined) return await run(rest);
  const command = teachingCommand("policy", "Understand policy, and change it without surprises. Each has --help.", [
    "tulle policy lint      what is unused, shadowed, too broad, contradicting, or points at nothing; and what to do",
    "tulle policy replay    which callers and requests that were seen would get another verdict under new policies",
    "tulle policy suggest   least privilege for a workload, from what was seen",
    "tulle policy flows     what was seen, as JSON",
  ]).addArgument(new Argument("<verb>", "what to do").choices(Object.keys(VERBS)));
  await runCommand(command, argv);
}

async function runLint(argv: readonly string[]): Promise<void> {
  const summary =
    "What is wrong with policies though each object is valid. The exit code is 1 when there is an error, with " +
    "--strict also when there is a warning.";
  const command = withManifests(
    teachingCommand("policy lint", summary, [
      "tulle policy lint -f manifests/",
      "tulle policy lint --strict -o json",
      "tulle policy lint --context prod",
    ]),
    "manifests to look at instead of what runs; a file, a folder or -; may be given again",
  )
    .option("--strict", "warnings count as errors")
    .option("-o, --output <form>", "table or json", parseOutput, "table")
    .action(async (options: MeshOptions & { strict?: true; output: Output }) => {
      const findings = lint(new MeshView(await openState(options)), Date.now());
      process.stdout.write(options.output === "json" ? `${JSON.stringify(findings, null, 2)}\n` : lintText(findings));
      const isBad = findings.some(({ severity }) => severity === "error" || options.strict === true);
      process.exitCode = isBad ? 1 : 0;
    });
  await runCommand(command, argv);
}

function lintText(findings: readonly LintFinding[]): string {
  if (findings.length === 0) return "nothing found\n";
  return findings.map(({ severity, rule, object, place, detail, fix }) => {
    return `${severity.padEnd(7)}  ${rule.padEnd(13)}  ${object}${place === "" ? "" : ` (${place})`}: ${detail}\n${
      " ".repeat(24)
    }→ ${fix}\n`;
  }).join("");
}

interface ReplayOptions extends FlowOptions {
  readonly filename: readonly string[];
  readonly base?: readonly string[];
  readonly without?: readonly string[];
  readonly output: Output;
}

async function runReplay(argv: readonly string[]): Promise<void> {
  const summary =
    "Decides again about what all sidecars have seen, as if the objects of the manifests were applied, and says " +
    "which callers and requests would get another verdict. Nothing is changed. The exit code is 1 when a verdict would.";
  const command = withMeshOptions(teachingCommand("policy replay", summary, [
    "tulle policy replay -f new.yaml",
    "tulle policy replay -f new.yaml --without AuthorizationPolicy/shop/old -o json",
    "tulle policy flows > seen.json; tulle policy replay -f new.yaml --base manifests/ --flows seen.json",
  ]))
    .option(
      "-f, --filename <file>",
      "objects that would be applied; a file, a folder or -; may be given again",
      collect,
    )
    .option("--without <object>", "an object that would be deleted, Kind/namespace/name; may be given again", collect)
    .option("--base <file>", "manifests of the mesh as it is, instead of what runs; may be given again", collect)
    .option("--flows <file>", "what `tulle policy flows` has printed, instead of asking the sidecars")
    .option("-o, --output <form>", "table or json", parseOutput, "table")
    .action(async (options: ReplayOptions) => {
      if (options.filename === undefined && options.without === undefined) {
        throw new UsageError("want -f or --without: what would change?");
      }
      if (await enter(options, ["policy", "replay", ...argv])) return;
      const { base, without = [] } = options;
      const { filename: _, ...asked } = options;
      const before = new MeshView(await openState(base === undefined ? asked : { ...asked, filename: base }));
      const { resources, found } = readManifests(options.filename ?? [], options.namespace ?? before.state.namespace);
      const gone = new Set(without.map(readKey));
      for (const key of gone) {
        if (!before.state.resources.some((each) => keyOfAny(each) === key)) {
          throw new UsageError(`--without: there is no ${key}`);
        }
      }
      const after = before.with(resources.filter(({ kind }) => POLICY_KINDS.has(kind)), gone);
      const ignored = found.filter((key) => !POLICY_KINDS.has(key.split(" ")[0] as Kind)).sort(); // any text may be asked for
      const result: Replay = { ...replay(before, after, await collectFlows(options)), ignored };
      process.stdout.write(options.output === "json" ? `${JSON.stringify(result, null, 2)}\n` : replayText(result));
      process.exitCode = result.changes.length > 0 ? 1 : 0;
    });
  await runCommand(command, argv);
}

/** "Kind/namespace/name" → "Kind namespace/name". */
function readKey(text: string): string {
  const [kind = "", namespace, name] = text.split("/");
  if (namespace === undefined || name === undefined) {
    throw new UsageError(`--without: found "${text}", want Kind/namespace/name`);
  }
  return `${kind} ${namespace}/${name}`;
}

function keyOfAny({ kind, meta }: { kind: string; meta: { namespace: string; name: string } }): string {
  return `${kind} ${meta.namespace}/${meta.name}`;
}

async function runSuggest(argv: readonly string[]): Promise<void> {
  const summary =
    "Least privilege for a workload from what its sidecars have seen: a Server for each port, and who called " +
    "what. What was never seen is refused once it is applied: look at it, and replay it, before you do.";
  const command = withManifests(
    teachingCommand("policy suggest", summary, [
      "tulle policy suggest deploy/web -n shop > web-policy.yaml",
      "tulle policy suggest deploy/web -n shop | tulle policy replay -f -",
    ]),
    "manifests of the mesh as it is, instead of what runs; may be given again",
  )
    .argument("<workload>", "deploy/web, web, shop/web")
    .option("--flows <file>", "what `tulle policy flows` has printed, instead of asking the sidecars")
    .action(async (word: string, options: FlowOptions) => {
      if (await enter(options, ["policy", "suggest", ...argv])) return;
      const view = new MeshView(await openState(options));
      const subjects = view.findOne(word, options.namespace ?? null);
      const suggestion = suggest(subjects, await collectFlows(options), (flow, { namespace, name }) => {
        const request = flowRequest(flow);
        const caller = { identity: flow.identity === "" ? null : flow.identity, ip: flow.ip };
        return request !== null && view.judge(namespace, name)?.isProbe(flow.port, caller, request) === true;
      });
      if (suggestion.objects.length === 0) throw new Error(`nobody was seen calling ${word}: let it run for a while`);
      const rivals = rivalsOf(view, subjects, suggestion);
      process.stdout.write(suggestionText(suggestion, stillRefused(view, suggestion, rivals), rivals));
    });
  await runCommand(command, argv);
}

/** Servers that have a suggested one's port today: being older they would go before it. @returns keys, "Server shop/web" */
function rivalsOf(view: MeshView, subjects: readonly Subject[], { objects }: Suggestion): string[] {
  const servers = decoded(objects).filter((resource) => resource.kind === "Server");
  const own = new Set(servers.map(keyOf));
  const there = subjects.flatMap(({ namespace, name }) =>
    servers.flatMap(({ port }) => {
      const server = view.judge(namespace, name)?.policy.ports.get(Number(port))?.server ?? null;
      return server === null ? [] : [`Server ${server.namespace}/${server.name}`];
    })
  );
  return [...new Set(there)].filter((key) => !own.has(key)).sort();
}

/** What was refused, and would be if the suggestion took the place of its rivals; where that cannot be told it is not listed. */
function stillRefused(view: MeshView, { objects, refused }: Suggestion, rivals: readonly string[]): Refused[] {
  const after = view.with(decoded(objects), new Set(rivals));
  return refused.filter(({ workload, flow }) => {
    const found = outcome(after, workload, flow);
    return typeof found !== "string" && found.verdict === "deny";
  });
}

async function runFlows(argv: readonly string[]): Promise<void> {
  const summary =
    "What the sidecars have seen: who called which port with which requests, and the verdict. Facts only: no " +
    "header, no body, no query, and * for what looks like an identifier in a path.";
  const command = withMeshOptions(
    teachingCommand("policy flows", summary, [
      "tulle policy flows > seen.json",
      "tulle policy flows --address 127.0.0.1:4191",
    ]),
  )
    .option("--address <address...>", "admin servers to ask instead of looking for a mesh")
    .action(async (options: FlowOptions) => {
      if (options.address === undefined && await enter(options, ["policy", "flows", ...argv])) return;
      process.stdout.write(`${JSON.stringify(await collectFlows(options), null, 2)}\n`);
    });
  await runCommand(command, argv);
}

/** Runs the command again where the sidecars of a rootless mesh can be reached. @returns whether it did */
async function enter(options: FlowOptions, argv: readonly string[]): Promise<boolean> {
  const mesh = options.flows === undefined ? localMesh(options) : null;
  const status = mesh === null ? null : await runInside(mesh, argv);
  if (status !== null) process.exitCode = status;
  return status !== null;
}

function decoded(objects: Suggestion["objects"]): Resource[] {
  return objects.flatMap(({ value }) => decodeResource(value).resource ?? []);
}
