/** `tulle up`: a mesh on one machine, from a folder of YAML. */
import { UsageError } from "../../../src/base/error.ts";
import { runInner } from "./inner.ts";
import { parseUpOptions } from "./options.ts";
import { runOuter } from "./outer.ts";
import { PLAN_VARIABLE } from "./plan.ts";
import { readClaims } from "./prove/claims.ts";
import { PROBE_VARIABLE, runProbe } from "./prove/probe_client.ts";

/**
 * Runs the command.
 *
 * @param argv arguments after `up`
 * @throws UsageError when they are not understood
 */
export async function runUp(argv: readonly string[]): Promise<void> {
  if (process.platform !== "linux") throw new UsageError("tulle up needs Linux: it builds network namespaces");
  const probe = process.env[PROBE_VARIABLE];
  if (probe !== undefined) return await runProbe(probe);
  const plan = process.env[PLAN_VARIABLE];
  if (plan !== undefined) process.exit(await runInner(plan));
  const options = parseUpOptions(argv);
  if (options === "help") return;
  if (options.proveFile !== null) readClaims(options.proveFile); // a mistake in it is said before anything starts
  process.exit(await runOuter(options));
}
