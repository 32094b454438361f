/**
 * The conformance suite of the Connect project: Connect, gRPC and gRPC-Web over HTTP/1.1 and HTTP/2 without TLS, with
 * every codec, compression, kind of call and malformed answer that it knows.
 *
 * Two runs per way. "client": the suite's own server, which looks at what arrives and also answers wrongly on purpose,
 * with connect-go as client. "server": the suite's own client, which looks at answers and also asks wrongly on purpose,
 * with connect-go as server. Both know a proxy by what it changes.
 */
import { join } from "node:path";
import { run } from "../../support/process.ts";
import { goInstall } from "../go_tools.ts";
import { type Failure, skippedSuite, type SuiteOptions, type SuiteResult, Tally } from "../suite.ts";
import { type Bed, openCapturedBed, openLoopbackBed, type Way } from "../ways.ts";

const MODULE = "connectrpc.com/conformance";
const VERSION = "v1.0.7";
const PROGRAMS = ["connectconformance", "referenceclient", "referenceserver"];
/** What the peers can do, in the suite's terms. */
const FEATURES = join(import.meta.dirname, "features.yaml");
const RUN_MS = 900_000;
/** Cases in which a call has to be done within half a second: on a busy machine some are not, and are tried once more. */
const IS_TIMED = /deadline|timeout/i;
const MAX_LATE = 50;
/** Cases of the short run: each kind of call in each protocol, the malformed and the cancelled ones; one codec. */
const QUICK_RUN = ["**/Codec:CODEC_PROTO/Compression:COMPRESSION_GZIP/**"];

type Mode = "client" | "server";

export async function runConnect(say: (line: string) => void, { quick }: SuiteOptions): Promise<SuiteResult> {
  const tools = await goInstall(MODULE, VERSION, PROGRAMS.map((name) => `cmd/${name}`));
  if ("reason" in tools) {
    say(`skip connect: ${tools.reason}`);
    return skippedSuite("connect", tools.reason);
  }
  const tally = new Tally();
  const lacking = new Set<string>();
  {
    await using loopback = await openLoopbackBed(1, null);
    const ways = quick ? loopback.ways.filter((way) => way.name === "sidecars-detected") : loopback.ways;
    for (const way of ways) await runWay(loopback, way, tools.path, quick, tally, lacking);
  }
  await using captured = quick ? null : await openCapturedBed(1, say);
  for (const way of captured?.ways ?? []) await runWay(captured as Bed, way, tools.path, quick, tally, lacking); // its own ways
  return tally.result("connect", VERSION);
}

/** @param lacking cases that fail without the mesh, which the direct way finds out */
async function runWay(
  bed: Bed,
  way: Way,
  path: (program: string) => string,
  quick: boolean,
  tally: Tally,
  lacking: Set<string>,
): Promise<void> {
  const port = bed.ports[0] ?? 0;
  const to = way.reach(port);
  // The suite tells its peers where to meet; the relay says another place to the one that connects.
  const relay = [process.execPath, join(import.meta.dirname, "relay.ts")];
  const command = (mode: Mode, cases: readonly string[]): readonly string[] => {
    const shared = ["--mode", mode, "--conf", FEATURES, ...cases.flatMap((pattern) => ["--run", pattern])];
    if (mode === "client") {
      return [
        ...[...bed.server, path("connectconformance"), ...shared, "--bind", "0.0.0.0", "--port", String(port), "--"],
        ...[...relay, "client", to.host, String(to.port), ...way.client, path("referenceclient")],
      ];
    }
    return [
      ...[...way.client, path("connectconformance"), ...shared, "--max-servers", "1", "--"],
      ...[...relay, "server", to.host, String(to.port), ...bed.server],
      ...[path("referenceserver"), "-bind", "0.0.0.0", "-port", String(port)],
    ];
  };
  const attempt = async (mode: Mode, cases: readonly string[]) => {
    const argv = command(mode, cases);
    const done = await run({ argv, name: `connectconformance (${way.name}, ${mode})`, timeoutMs: RUN_MS });
    return readReport(done.stdout + done.stderr);
  };
  for (const mode of ["client", "server"] as const) {
    const { passed, failures } = await attempt(mode, quick ? QUICK_RUN : []);
    const group = `${mode} ${way.name}`;
    const late = failures.filter((failure) => IS_TIMED.test(failure.name)).map((failure) => failure.name);
    const again = late.length === 0 || late.length > MAX_LATE ? null : await attempt(mode, late);
    const standing = [
      ...failures.filter((one) => again === null || !late.includes(one.name)),
      ...again?.failures ?? [],
    ];
    if (way.name === "direct") {
      for (const { name } of standing) lacking.add(`${mode} ${name}`);
      continue;
    }
    tally.passAll(group, passed + (again?.passed ?? 0));
    for (const { name, detail } of standing) {
      if (lacking.has(`${mode} ${name}`)) tally.skipped++;
      else tally.fail(`${group} ${name}`, detail);
    }
  }
}

/** Reads what the suite prints: "N passed, M failed", and a paragraph per failure. Throws when it did not get there. */
export function readReport(text: string): { readonly passed: number; readonly failures: readonly Failure[] } {
  const totals = text.match(/^(\d+) passed, (\d+) failed/m);
  if (totals === null) throw new Error(`the suite broke off: ${text.slice(-1_000)}`);
  const failures = [...text.matchAll(/^FAILED: (.+?):?\n((?:[ \t].*\n)*)/gm)]
    .map(([, name = "", detail = ""]) => ({ name, detail }));
  if (failures.length !== Number(totals[2])) {
    failures.push({ name: "the report", detail: `${totals[2]} failed, ${failures.length} are described` });
  }
  return { passed: Number(totals[1]), failures };
}
