/** The run itself, in its network namespace: http1.ts starts it with a file of options. */
import { readFileSync, writeFileSync } from "node:fs";
import { Tally } from "../suite.ts";
import { unlogged } from "./access_log.ts";
import { type BackendPrograms, startBackends } from "./backends.ts";
import { Clients } from "./clients.ts";
import { DOWNGRADES, SIDECAR_DOWNGRADES } from "./corpus/downgrades.ts";
import { REQUESTS } from "./corpus/requests.ts";
import { RESPONSES } from "./corpus/responses.ts";
import type { Expectation } from "./corpus/variant.ts";
import type { Verdict } from "./judge.ts";
import { startMeshBed, startPeers } from "./paths.ts";
import { runDowngrades } from "./run_downgrades.ts";
import { runRequests } from "./run_requests.ts";
import { runResponses } from "./run_responses.ts";

interface Options {
  readonly programs: BackendPrograms;
  readonly dir: string;
  readonly output: string;
}

/** Numbers of variants have four digits; each path has its own. */
const NUMBERS = 1_000;

interface Judged extends Verdict {
  readonly variant: { readonly class: string; readonly name: string; readonly expect: Expectation };
}

const { programs, dir, output } = JSON.parse(readFileSync(process.argv[2] ?? "", "utf8")) as Options; // http1.ts wrote it
await using stack = new AsyncDisposableStack();
const backends = await startBackends(programs, stack, dir);
const clients = stack.use(new Clients(programs));
console.log(`back ends: ${backends.map(({ name }) => name).join(", ")}; clients: ${clients.names.join(", ")}`);

const bed = await startMeshBed(stack, true);
if (bed.unmeshed === null) console.log("without nftables: nothing goes past the client's sidecar");
const tally = new Tally();
let first = 0;

const paths = bed.unmeshed === null ? [bed.meshed] : [bed.meshed, bed.unmeshed];
for (const path of paths) {
  const requests = await runRequests(path, REQUESTS, first, backends);
  count(path.name, "requests", requests);
  const uncounted = await unlogged(bed.mesh.sidecar("web").child(), requests);
  for (const { name, detail } of uncounted) tally.fail(`${path.name} ${name}`, detail);
  first += NUMBERS;
  count(path.name, "responses", await runResponses(path, RESPONSES, first, clients));
  first += NUMBERS;
}
const downgrades = [...DOWNGRADES, ...SIDECAR_DOWNGRADES];
count(bed.meshPort.name, "downgrades", await runDowngrades(bed.meshPort, downgrades, first, backends));

if (process.env["HTTP1_PEERS"] === "1") {
  for (const peer of await startPeers(stack, dir)) {
    report(peer.name, "requests", await runRequests(peer.http1, REQUESTS, 0, backends));
    report(peer.name, "responses", await runResponses(peer.http1, RESPONSES, NUMBERS, clients));
    report(peer.name, "downgrades", await runDowngrades(peer.http2, DOWNGRADES, 2 * NUMBERS, backends));
  }
}

writeFileSync(output, JSON.stringify(tally.result("http1", "1")));
await stack.disposeAsync();
process.exit(0); // clients of others may have left sockets behind

/** Adds the results of a path of ours, where each variant must be dealt with as expected. */
function count(path: string, what: string, results: readonly Judged[]): void {
  report(path, what, results);
  for (const { variant, outcome, dangers, isUnclean } of results) {
    const problems = [...dangers];
    if (isUnclean) problems.push("what goes on is not right by the strictest reading");
    if (outcome !== variant.expect.outcome) problems.push(`${outcome}, where ${variant.expect.outcome} is expected`);
    if (problems.length === 0) tally.pass(`${path}: ${outcome} ${what}`);
    else tally.fail(`${path} ${variant.class}: ${variant.name}`, problems.join("; "));
  }
}

/** One line of the table in README.md. */
function report(path: string, what: string, results: readonly Judged[]): void {
  const of = (outcome: string) => results.filter((one) => one.outcome === outcome).length;
  const dangerous = results.filter(({ dangers }) => dangers.length > 0);
  const unclean = results.filter(({ isUnclean }) => isUnclean).length;
  console.log(
    `${path}, ${results.length} ${what}: ${of("rejected")} rejected, ${of("normalised")} normalised, ` +
      `${
        of("forwarded")
      } forwarded; ${dangerous.length} read in two ways, ${unclean} not right by the strictest reading`,
  );
  if (process.env["HTTP1_VERBOSE"] !== "1") return;
  for (const { variant, dangers } of dangerous) {
    console.log(`  ${variant.class}: ${variant.name}: ${dangers.join("; ")}`);
  }
}
