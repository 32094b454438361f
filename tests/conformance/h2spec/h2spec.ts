/**
 * h2spec (strict) against the mesh's HTTP/2 servers with a plain HTTP/2 server behind them: the client's sidecar, and
 * the one that clients without a sidecar meet. H2SPEC_TARGET=host:port runs it against something else.
 */
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { findProgram, run, startProcess } from "../../support/process.ts";
import { CACHE, goInstall } from "../go_tools.ts";
import { type Failure, skippedSuite, type SuiteResult } from "../suite.ts";
import { type Bed, openCapturedBed, openLoopbackBed } from "../ways.ts";

/** The last version that the Go module proxy has. */
const VERSION = "v2.2.1+incompatible";
const MODULE = "github.com/summerwind/h2spec";
/** Longest time for one case, seconds; none waits this long where things are right, and machines may be busy. */
const CASE_S = 6;
/** A server on node:http2 that reads each request and then answers it: `node -e SERVER PORT`. */
const SERVER = `
  const server = require("node:http2").createServer((request, response) => {
    request.resume();
    request.on("end", () => response.end("a body of some length\\n"));
    request.on("error", () => {});
  });
  server.on("sessionError", () => {});
  server.listen(Number(process.argv[1]), "0.0.0.0", () => console.log("ready"));
`;

/** Against the client's sidecar, on a port declared as h2c. */
export async function runH2spec(say: (line: string) => void): Promise<SuiteResult> {
  return await runOnWay("h2spec", "sidecars", say, () => openLoopbackBed(1, "kubernetes.io/h2c"));
}

/** Against the server's sidecar, as clients without one meet it. */
export async function runH2specInbound(say: (line: string) => void): Promise<SuiteResult> {
  return await runOnWay("h2spec-inbound", "inbound", say, () => openCapturedBed(1, say, "kubernetes.io/h2c"));
}

async function runOnWay(
  suite: string,
  wayName: string,
  say: (line: string) => void,
  open: () => Promise<Bed | null>,
): Promise<SuiteResult> {
  const node = findProgram("node");
  const built = await goInstall(MODULE, VERSION, ["cmd/h2spec"]);
  const reason = "reason" in built ? built.reason : node === null ? "Node.js is missing, which serves" : "";
  if ("reason" in built || node === null) {
    say(`skip ${suite}: ${reason}`);
    return skippedSuite(suite, reason);
  }
  const program = built.path("h2spec");
  const given = process.env["H2SPEC_TARGET"];
  if (given !== undefined) {
    return await runAgainst(suite, [program], given.split(":")[0] ?? "", Number(given.split(":")[1]));
  }
  await using bed = await open();
  const way = bed?.ways.find((each) => each.name === wayName);
  if (bed === null || way === undefined) return skippedSuite(suite, `the way ${wayName} cannot be made here`);
  const port = bed.ports[0] ?? 0;
  const argv = [...bed.server, node, "-e", SERVER, String(port)];
  await using server = startProcess({ argv, name: "the server behind the mesh" });
  await server.waitForOutput(/ready/);
  const at = way.reach(port);
  return await runAgainst(suite, [...way.client, program], at.host, at.port);
}

async function runAgainst(
  suite: string,
  command: readonly string[],
  host: string,
  port: number,
): Promise<SuiteResult> {
  const report = join(CACHE, `${suite}-${process.pid}.xml`);
  try {
    const argv = [...command, "-h", host, "-p", String(port), "--strict", "-o", String(CASE_S), "-j", report];
    const done = await run({ argv, name: "h2spec", timeoutMs: 300_000 });
    if (!/\d+ tests, \d+ passed/.test(done.stdout)) {
      throw new Error(`h2spec broke off: ${done.stdout.slice(-500)}${done.stderr}`);
    }
    return resultOf(suite, readFileSync(report, "utf8"));
  } finally {
    rmSync(report, { force: true });
  }
}

/** Reads h2spec's JUnit report. */
function resultOf(suite: string, xml: string): SuiteResult {
  const failures: Failure[] = [];
  let passed = 0;
  let skipped = 0;
  for (
    const found of xml.matchAll(/<testcase package="([^"]*)" classname="([^"]*)"[^>]*?(?:\/>|>(.*?)<\/testcase>)/gs)
  ) {
    const [, section = "", title = "", inner = ""] = found;
    if (inner.includes("<skipped")) skipped++;
    else if (inner.includes("<failure") || inner.includes("<error")) {
      failures.push({
        name: unescape(`${section} ${title}`),
        detail: unescape(inner.replace(/<[^>]*>/g, " ")).trim().replace(/\s+/g, " "),
      });
    } else passed++;
  }
  return { suite, version: VERSION, passed, failed: failures.length, skipped, failures };
}

function unescape(text: string): string {
  return text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&#34;", '"').replaceAll("&quot;", '"')
    .replaceAll("&#39;", "'").replaceAll("&#xA;", " ").replaceAll("&amp;", "&");
}
