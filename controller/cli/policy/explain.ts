/** `tulle explain`: where a request would go, and whether it would be let in. */
import { formatDuration } from "../../../src/base/duration.ts";
import { UsageError } from "../../../src/base/error.ts";
import { isAddress } from "../../../src/proxy/explain.ts";
import { collect, type Output, parseOutput, runCommand, teachingCommand } from "../_command.ts";
import { runInside } from "../find_mesh.ts";
import { localMesh, type MeshOptions, openState, withManifests } from "./_mesh_options.ts";
import { explain, type Explanation, type Question } from "./explanation.ts";
import { findLags, type Lags } from "./lag.ts";
import { MeshView } from "./mesh_view.ts";
import { columns } from "./refs.ts";

interface ExplainOptions extends MeshOptions {
  readonly header?: readonly string[];
  readonly from?: string;
  readonly authority?: string;
  readonly output: Output;
}

/** @param argv arguments after "explain"; exits with 1 when the request would be refused or lead nowhere */
export async function runExplain(argv: readonly string[]): Promise<void> {
  const summary =
    "What would become of a request: route, backends with their shares, timeouts and retries; and at each " +
    "server the policy that decides, and why. The answer comes from the functions of the proxy itself, over the snapshots " +
    "that the controller would send it; where a sidecar does not run them yet, it says so. The exit code is 1 when the " +
    "request would be refused.";
  const command = withManifests(
    teachingCommand("explain", summary, [
      "tulle explain deploy/front svc/catalogue GET /items -n shop",
      "tulle explain front → catalogue:80 POST /orders -H 'x-canary: yes'",
      "tulle explain svc/catalogue GET /metrics --from spiffe://cluster.local/ns/ops/sa/prometheus",
      "tulle explain svc/catalogue GET /metrics --from none      a caller without a mesh identity",
      "tulle explain front svc/db:5432                           bytes that are not HTTP",
      "tulle explain -f manifests/ front svc/web GET / -o json   before anything is applied",
    ]),
    "manifests to look at instead of what runs; a file, a folder or -; may be given again",
  )
    .argument("<words...>", "[workload that calls] [->] service or workload[:port] [METHOD /path]")
    .option("-H, --header <line>", "header of the request, name: value; may be given again", collect)
    .option("--from <identity>", "SPIFFE ID of the caller, namespace/account, or none; with @ip after it an address")
    .option("--authority <host>", "of the request; default: the name of the Service")
    .option("-o, --output <form>", "table or json", parseOutput, "table")
    .action(async (words: string[], options: ExplainOptions) => {
      const mesh = options.filename === undefined ? localMesh(options) : null;
      const status = mesh === null ? null : await runInside(mesh, ["explain", ...argv]);
      if (status !== null) return void (process.exitCode = status);
      const view = new MeshView(await openState(options));
      const question = readQuestion(view, words, options);
      const answer = explain(view, question, Date.now());
      // Manifests are run by nobody.
      const lags = options.filename === undefined
        ? await findLags(options, view, question, answer)
        : { older: [], silent: [] };
      process.stdout.write(
        options.output === "json"
          ? `${JSON.stringify({ ...answer, ...lags }, null, 2)}\n`
          : explanationText(answer) + lagsText(lags),
      );
      process.exitCode = answer.admitted === "all" ? 0 : 1;
    });
  await runCommand(command, argv);
}

const METHOD = /^[A-Z][A-Z-]{0,31}$/;

function readQuestion(view: MeshView, all: readonly string[], options: ExplainOptions): Question {
  const words = all.filter((word) => word !== "->" && word !== "→" && word !== "=>");
  const methodAt = words.findIndex((word, i) => METHOD.test(word) && words[i + 1]?.startsWith("/") === true);
  const names = methodAt < 0 ? words : words.slice(0, methodAt);
  const [first = "", second, ...more] = names;
  if (more.length > 0 || first === "" || (methodAt >= 0 && methodAt + 2 !== words.length)) {
    throw new UsageError(
      "want: [workload that calls] service or workload[:port] [METHOD /path], see tulle explain --help",
    );
  }
  const headers = (options.header ?? []).map((line): readonly [string, string] => {
    const colon = line.indexOf(":");
    if (colon <= 0) throw new UsageError(`-H: found "${line}", want name: value`);
    return [line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim()];
  });
  const from = second === undefined ? null : view.findOne(first, options.namespace ?? null)[0] ?? null;
  const request = methodAt < 0 ? null : { method: words[methodAt] ?? "", path: words[methodAt + 1] ?? "", headers };
  return {
    from,
    to: second ?? first,
    namespace: options.namespace ?? from?.namespace ?? view.state.namespace,
    caller: readCaller(options.from, view.state.options.trustDomain),
    request,
    authority: options.authority ?? null,
  };
}

/** "spiffe://…", "shop/front", "none", each with "@10.1.2.3" after it. */
function readCaller(text: string | undefined, trustDomain: string): Question["caller"] {
  if (text === undefined) return null;
  const [who = "", ip = null] = text.split("@");
  if (ip !== null && !isAddress(ip)) throw new UsageError(`--from: found "${ip}", want an address after @`);
  if (who === "none" || who === "") return { identity: null, ip };
  if (who.startsWith("spiffe://")) return { identity: who, ip };
  const [namespace, account, ...rest] = who.split("/");
  if (account === undefined || rest.length > 0) {
    throw new UsageError(`--from: found "${text}", want spiffe://…, namespace/account or none`);
  }
  return { identity: `spiffe://${trustDomain}/ns/${namespace}/sa/${account}`, ip };
}

function lagsText({ older, silent }: Lags): string {
  const lines = older.map(({ workload, what, why }) =>
    `not yet: ${workload} runs another version of ${what}; ${why}\n`
  );
  const [first] = silent;
  if (first !== undefined) {
    const more = silent.length === 1 ? "" : ` and ${silent.length - 1} more`;
    lines.push(`not asked what it runs: ${first.workload}${more} (${first.why})\n`);
  }
  return lines.join("");
}

/** For a terminal. */
function explanationText(answer: Explanation): string {
  const { route, backends } = answer;
  const rows: string[][] = [["from", answer.from], ["to", answer.to]];
  if (route !== null) {
    rows.push(["route", `${route.ref}  ${route.matches}`]);
    const limits = [
      route.requestTimeoutMs > 0 ? `request ${formatDuration(route.requestTimeoutMs)}` : "no limit for the request",
      ...(route.tryTimeoutMs > 0 ? [`each try ${formatDuration(route.tryTimeoutMs)}`] : []),
      route.retry ?? "retries: only where nothing was sent, or a safe method lost its connection",
    ];
    rows.push(["", limits.join("; ")]);
    for (const line of [...route.edits, ...route.faults]) rows.push(["", line]);
  }
  if (answer.trouble !== "") rows.push(["trouble", answer.trouble]);
  for (const backend of backends) {
    rows.push(["backend", `${backend.percent} %  ${backend.ref}  ${backend.trouble}`.trimEnd()]);
    for (const line of backend.limits) rows.push(["", line]);
    for (const server of backend.servers) {
      rows.push(["  server", `${server.workload} ${server.address}  ${server.transport}`]);
      rows.push(["", `${server.server}${server.route === "" ? "" : `, ${server.route}`}`]);
      rows.push([
        `  ${server.verdict}`,
        `${server.reason} (${server.policy})${server.audit === "" ? "" : `; ${server.audit}`}`,
      ]);
      if (server.rates !== "") rows.push(["", server.rates]);
    }
  }
  return columns(rows);
}
