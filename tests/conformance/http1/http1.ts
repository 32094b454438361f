/**
 * The corpus of request smuggling, run against the mesh and, for comparison, other proxies. It runs in a network namespace of its
 * own, where an unmeshed client's connections can be redirected to the sidecar's inbound port as capture does.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findProgram, run } from "../../support/process.ts";
import { skippedSuite, type SuiteOptions, type SuiteResult } from "../suite.ts";
import { installBackends } from "./backends.ts";

/** Longest time for everything. */
const RUN_MS = 15 * 60_000;

export async function runHttp1(say: (line: string) => void, { quick }: SuiteOptions): Promise<SuiteResult> {
  const unshare = findProgram("unshare");
  const ip = findProgram("ip");
  if (unshare === null || ip === null) {
    return skippedSuite("http1", "unshare or ip is missing (apt-get install util-linux iproute2)");
  }
  const dir = mkdtempSync(join(tmpdir(), "tulle-http1-"));
  try {
    const options = join(dir, "options.json");
    const output = join(dir, "result.json");
    writeFileSync(options, JSON.stringify({ programs: await installBackends(say, quick), dir, output }));
    const inside = `${ip} link set lo up && exec ${process.execPath} ${
      join(import.meta.dirname, "inside.ts")
    } ${options}`;
    const own = process.getuid?.() === 0 ? ["--net"] : ["--user", "--map-root-user", "--net"];
    const done = await run({ argv: [unshare, ...own, "sh", "-c", inside], name: "http1", timeoutMs: RUN_MS });
    for (const line of done.stdout.trimEnd().split("\n")) say(line);
    if (done.code !== 0) throw new Error(`http1 broke off: ${done.stderr.slice(-2_000)}`);
    return JSON.parse(readFileSync(output, "utf8")) as SuiteResult; // written by inside.ts
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
