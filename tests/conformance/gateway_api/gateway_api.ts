/**
 * The Gateway API's own conformance suite, profiles MESH-HTTP and MESH-GRPC, on a cluster of its own with the mesh installed as
 * a user does. Every test of a mesh runs, in full: it takes half a minute.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { VERSION } from "../../../src/base/version.ts";
import { Cluster } from "../../kubernetes/support/cluster.ts";
import { installMesh } from "../../kubernetes/support/mesh.ts";
import { TEST_BED } from "../../kubernetes/support/test_bed.ts";
import { run } from "../../support/process.ts";
import { skippedSuite, type Suite, type SuiteResult, Tally } from "../suite.ts";

const NAME = "gateway-api";
export const CLUSTER = { name: "gwapi", net: "10.78" };
/** Each test that fails waits half a minute for every case. */
const SUITE_TIMEOUT_MS = 15 * 60_000;
/** Lines of its log that are kept of failures. */
const MAX_REASONS = 6;
const OPTIONS = join(import.meta.dirname, "options.yaml");
/** Whom the report is from. */
const IMPLEMENTATION = [
  ...["-organization", "tulle", "-project", "tulle", "-url", "https://tulle.dev"],
  ...["-contact", "https://tulle.dev", "-version", `v${VERSION}`],
];

export const runGatewayApi: Suite = async (say) => {
  if (TEST_BED === null) return skippedSuite(NAME, "there is no Kubernetes test bed");
  await using cluster = await Cluster.start(CLUSTER);
  await installMesh(cluster);
  say("the mesh is installed");
  return await runSuiteOn(cluster, TEST_BED);
};

/**
 * Runs the suite on a cluster with the mesh.
 *
 * @param bed folder of the test bed
 * @throws Error when it does not run at all
 */
export async function runSuiteOn(cluster: Cluster, bed: string): Promise<SuiteResult> {
  const folder = mkdtempSync(join(tmpdir(), "tulle-gateway-api-"));
  try {
    const report = join(folder, "report.yaml");
    const { code, stdout, stderr } = await run({
      argv: [
        ...[join(bed, "conformance"), "--name", cluster.name, "--options", OPTIONS],
        ...["-namespace-annotations", "tulle.dev/inject=enabled", "-report-output", report],
        ...IMPLEMENTATION,
      ],
      timeoutMs: SUITE_TIMEOUT_MS,
    });
    const tally = tallyOf(stdout, reasonsOf(stderr));
    if (code !== 0 && tally.failures.length === 0) throw new Error(`the suite did not run: ${stderr.slice(-1000)}`);
    const text = readFileSync(report, "utf8");
    const version = /^gatewayAPIVersion: (\S+)$/m.exec(text)?.[1] ?? "";
    return { ...tally.result(NAME, version), report: { file: "report.yaml", text } };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** What the suite's log says of failures: the runner prints only which tests they were. */
function reasonsOf(errors: string): string {
  const log = /; log: (\S+);/.exec(errors)?.[1];
  if (log === undefined) return "";
  const lines = readFileSync(log, "utf8").split("\n").filter((line) => /failed|Error:|rror trace/i.test(line));
  return lines.slice(-MAX_REASONS).join("; ");
}

/** Tests by their outcome; of one that failed, its cases that did, and why. */
function tallyOf(output: string, reasons: string): Tally {
  const tally = new Tally();
  for (const [, result, test = "", sub] of output.matchAll(/--- (PASS|FAIL): TestConformance\/(\w+)(\/\S+)? \(/g)) {
    if (sub !== undefined) continue;
    if (result === "PASS") tally.pass(test.includes("GRPC") ? "MESH-GRPC" : "MESH-HTTP");
    else {
      const cases = [...output.matchAll(new RegExp(`--- FAIL: TestConformance/${test}/(\\S+)`, "g"))];
      tally.fail(test, `${cases.map(([, name]) => name).join(", ")}: ${reasons}`);
    }
  }
  return tally;
}
