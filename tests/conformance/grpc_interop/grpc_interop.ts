/**
 * The gRPC project's interoperability cases: clients and servers of grpc-go and grpc-js in all combinations, direct and
 * on every way through the mesh. A case holds when its outcome is that of the direct call; what fails directly as well
 * (a server that lacks a feature) is skipped.
 */
import { type Child, startProcess } from "../../support/process.ts";
import { skippedSuite, type SuiteOptions, type SuiteResult, Tally } from "../suite.ts";
import { type Bed, openCapturedBed, openLoopbackBed, type Way } from "../ways.ts";
import { type CaseOutcome, type ClientPeer, type Peers, preparePeers, type ServerPeer } from "./peers.ts";

/** Cases of the short run: one of each kind of call, of each way to end, and of metadata. */
const QUICK: ReadonlySet<string> = new Set([
  ...["large_unary", "ping_pong", "client_streaming", "server_streaming", "cancel_after_first_response"],
  ...["timeout_on_sleeping_server", "special_status_message", "custom_metadata", "unimplemented_service"],
  ...["rst_after_data", "max_streams"],
]);

/** Has the server of grpc-go say when it listens. */
const LOG_START = { GRPC_GO_LOG_SEVERITY_LEVEL: "info" };

export async function runGrpcInterop(
  say: (line: string) => void,
  { quick }: SuiteOptions,
): Promise<SuiteResult> {
  const peers = await preparePeers();
  if ("reason" in peers) {
    say(`skip grpc-interop: ${peers.reason}`);
    return skippedSuite("grpc-interop", peers.reason);
  }
  const tally = new Tally();
  // What a direct call yields, by combination and case.
  const direct = new Map<string, string>();
  const count = peers.servers.length;
  await using loopback = await openLoopbackBed(count, "grpc");
  await runBed(loopback, peers, quick, direct, tally, say);
  if (!quick) {
    await using captured = await openCapturedBed(count, say);
    if (captured !== null) await runBed(captured, peers, quick, direct, tally, say);
  }
  return tally.result("grpc-interop", peers.version);
}

async function runBed(
  bed: Bed,
  peers: Peers,
  quick: boolean,
  direct: Map<string, string>,
  tally: Tally,
  say: (line: string) => void,
): Promise<void> {
  for (const [at, server] of peers.servers.entries()) {
    const port = bed.ports[at] ?? 0;
    await using child = await startServer(bed, server, port);
    for (const way of bed.ways) {
      for (const client of peers.clients) {
        const combination = `${client.name} → ${server.name}`;
        const all = client.cases.filter((name) => server.has(name) && (!quick || QUICK.has(name)));
        if (all.length === 0) continue;
        const cases = way.name === "direct" ? all : all.filter((name) => direct.get(`${combination} ${name}`) === "");
        tally.skipped += all.length - cases.length;
        const outcomes = await runCases(client, way, port, cases);
        const gone = child.gone();
        if (gone !== null) throw new Error(gone);
        judge(combination, way, outcomes, direct, tally, say);
      }
    }
  }
}

async function startServer(bed: Bed, server: ServerPeer, port: number): Promise<Child> {
  const argv = [...bed.server, ...server.argv(port)];
  const child = startProcess({ argv, name: `server ${server.name}`, env: LOG_START });
  await child.waitForOutput(/ready|listening/);
  return child;
}

async function runCases(
  client: ClientPeer,
  way: Way,
  port: number,
  cases: readonly string[],
): Promise<readonly CaseOutcome[]> {
  const at = way.reach(port);
  return await client.run(way.client, at.host, at.port, cases);
}

function judge(
  combination: string,
  way: Way,
  outcomes: readonly CaseOutcome[],
  direct: Map<string, string>,
  tally: Tally,
  say: (line: string) => void,
): void {
  for (const { name, error } of outcomes) {
    const key = `${combination} ${name}`;
    if (way.name === "direct") {
      direct.set(key, error);
      if (error !== "") say(`skip ${key}: it fails without the mesh as well: ${error.split("\n")[0]}`);
      continue;
    }
    if (error === "") tally.pass(`${combination} ${way.name}`);
    else tally.fail(`${key} (${way.name})`, error);
  }
}
