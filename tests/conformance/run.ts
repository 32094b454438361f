/**
 * `deno task conformance -- SUITE [--quick] [--json FILE] [--save]`: runs a suite of others against the mesh. Exit
 * status 0 when nothing fails but what the suite's known_failing.txt lists with a reason, and everything listed there
 * does fail.
 */
import { writeFileSync } from "node:fs";
import { compareWithKnown, parseKnownFailing } from "./known_failing.ts";
import { runConnect } from "./connect/connect.ts";
import { runGatewayApi } from "./gateway_api/gateway_api.ts";
import { runGrpcInterop } from "./grpc_interop/grpc_interop.ts";
import { runH2spec, runH2specInbound } from "./h2spec/h2spec.ts";
import { runHpack } from "./hpack/hpack.ts";
import { runHttp1 } from "./http1/http1.ts";
import { runWebsocket } from "./websocket/websocket.ts";
import type { Suite, SuiteResult } from "./suite.ts";

const SUITES: Readonly<Record<string, Suite>> = {
  h2spec: runH2spec,
  "h2spec-inbound": runH2specInbound,
  hpack: runHpack,
  "grpc-interop": runGrpcInterop,
  http1: runHttp1,
  connect: runConnect,
  websocket: runWebsocket,
  "gateway-api": runGatewayApi,
};
const HELP = `deno task conformance -- SUITE [--quick] [--json FILE] [--save]

  --quick      runs a part that takes seconds
  --json FILE  writes the result
  --save       writes the result to the suite's folder, to be committed

Suites: ${Object.keys(SUITES).join(", ")}, or all
`;

const args = process.argv.slice(2).filter((arg) => arg !== "--");
const quick = takeFlag("--quick");
const save = takeFlag("--save");
const at = args.indexOf("--json");
const file = at >= 0 ? args.splice(at, 2)[1] : undefined;
const name = args[0] ?? "all";
if (name === "--help" || args.length > 1 || name !== "all" && SUITES[name] === undefined) {
  console.log(name === "--help" ? HELP : `conformance: no suite "${args.join(" ")}"\n\n${HELP}`);
  process.exit(name === "--help" ? 0 : 2);
}

let isGood = true;
const results: SuiteResult[] = [];
for (const [suite, runSuite] of Object.entries(SUITES)) {
  if (name !== "all" && name !== suite) continue;
  const { report, ...result } = await runSuite((line) => console.log(line), { quick });
  results.push(result);
  const folder = `${import.meta.dirname}/${suite.replaceAll("-", "_")}`;
  const known = parseKnownFailing(await Bun.file(`${folder}/known_failing.txt`).text());
  const problems = result.skippedBecause === undefined ? compareWithKnown(known, result.failures) : [];
  for (const [group, count] of Object.entries(result.groups ?? {})) console.log(`  ${group}: ${count} passed`);
  for (const problem of problems) console.log(`${suite}: ${problem}`);
  console.log(
    `${suite} ${result.version}: ${result.passed} passed, ${result.failed} failed, ${result.skipped} skipped`,
  );
  if (save) writeFileSync(`${folder}/result.json`, JSON.stringify(result, null, 2) + "\n");
  if (save && report !== undefined) writeFileSync(`${folder}/${report.file}`, report.text);
  isGood &&= problems.length === 0;
}
if (file !== undefined) {
  writeFileSync(file, JSON.stringify(results.length === 1 ? results[0] : results, null, 1) + "\n");
}
process.exit(isGood ? 0 : 1);

function takeFlag(flag: string): boolean {
  const index = args.indexOf(flag);
  if (index >= 0) args.splice(index, 1);
  return index >= 0;
}
