/** See networks.ts. Runs itself again in a network namespace of its own. */
import { expect, test } from "bun:test";
import { isDirect } from "../support/mesh.ts";
import { testFaults } from "./fault.ts";
import { inOwnNetwork, isOwnNetwork, missingNetwork } from "./_net.ts";
import { networks } from "./networks.ts";

const missing = isDirect ? "there is no mesh" : missingNetwork();

if (isOwnNetwork) testFaults(networks);
else {
  if (missing !== null) console.log(`skipped: ${missing}`);
  test.skipIf(missing !== null)("faults of networks, in a network namespace", () => {
    const { argv, env } = inOwnNetwork([process.execPath, "test", import.meta.path]);
    const run = Bun.spawnSync(argv, { env: { ...process.env, ...env }, stdout: "pipe", stderr: "pipe" });
    expect(run.exitCode, run.stdout.toString() + run.stderr.toString()).toBe(0);
  }, 280_000);
}
