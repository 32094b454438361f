/**
 * h2spec (strict) against the mesh's HTTP/2 server: the client's sidecar, on a port declared as h2c, with a plain HTTP/2
 * server behind the second sidecar. H2SPEC_TARGET=host:port runs it against something else.
 */
import { createServer } from "node:http2";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { startMesh } from "../../support/mesh.ts";
import { findProgram, run } from "../../support/process.ts";
import { service, workload } from "../../support/resources.ts";
import { type Failure, skippedSuite, type SuiteResult } from "../suite.ts";

/** The last version that the Go module proxy has. */
const VERSION = "v2.2.1+incompatible";
const PACKAGE = "github.com/summerwind/h2spec/cmd/h2spec";
const BIN = join(import.meta.dirname, "..", "..", "..", ".cache", "bin");
const PORT = 8080;
/** Longest time for one case, seconds: h2spec waits this long where it wants nothing to happen. */
const CASE_S = 2;

export async function runH2spec(say: (line: string) => void): Promise<SuiteResult> {
  const program = await installH2spec();
  if (typeof program !== "string") {
    say(`skip h2spec: ${program.reason}`);
    return skippedSuite("h2spec", program.reason);
  }
  const given = process.env["H2SPEC_TARGET"];
  if (given !== undefined) return await runAgainst(program, given.split(":")[0] ?? "", Number(given.split(":")[1]));
  await using mesh = await startMesh({
    workloads: [workload("front", { calls: [`web:${PORT}`] }), workload("web")],
    services: [service("web", PORT, "kubernetes.io/h2c")],
  });
  const server = createServer((request, response) => {
    request.resume();
    request.on("end", () => response.end("a body of some length\n"));
    request.on("error", () => {});
  });
  server.on("sessionError", () => {});
  await new Promise<void>((resolve) => server.listen(PORT, mesh.ip("web"), resolve));
  try {
    const { host, port } = mesh.to("front", `web:${PORT}`);
    return await runAgainst(program, host, port);
  } finally {
    server.close();
  }
}

async function runAgainst(program: string, host: string, port: number): Promise<SuiteResult> {
  const report = join(BIN, "..", `h2spec-${process.pid}.xml`);
  try {
    const argv = [program, "-h", host, "-p", String(port), "--strict", "-o", String(CASE_S), "-j", report];
    const done = await run({ argv, name: "h2spec", timeoutMs: 300_000 });
    if (!/\d+ tests, \d+ passed/.test(done.stdout)) {
      throw new Error(`h2spec broke off: ${done.stdout.slice(-500)}${done.stderr}`);
    }
    return resultOf(readFileSync(report, "utf8"));
  } finally {
    rmSync(report, { force: true });
  }
}

/** Reads h2spec's JUnit report. */
export function resultOf(xml: string): SuiteResult {
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
  return { suite: "h2spec", version: VERSION, passed, failed: failures.length, skipped, failures };
}

/** Path of h2spec, built once by Go into .cache/, or why it cannot be had. */
async function installH2spec(): Promise<string | { readonly reason: string }> {
  const program = join(BIN, "h2spec");
  if (await Bun.file(program).exists()) return program;
  const go = findProgram("go");
  if (go === null) return { reason: "Go is missing (apt-get install golang, or https://go.dev/dl)" };
  mkdirSync(BIN, { recursive: true });
  const built = await run({ argv: [go, "install", `${PACKAGE}@${VERSION}`], env: { GOBIN: BIN }, timeoutMs: 300_000 });
  if (built.code !== 0) return { reason: `go install ${PACKAGE}@${VERSION} failed: ${built.stderr.trim()}` };
  return program;
}

function unescape(text: string): string {
  return text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&#34;", '"').replaceAll("&quot;", '"')
    .replaceAll("&#39;", "'").replaceAll("&#xA;", " ").replaceAll("&amp;", "&");
}
