/** `promtool check metrics`, with the remarks that we know and keep. */

/**
 * Remarks that stay: the names are Linkerd's, so that its dashboards and rules work. promtool ends with 3 for a remark of style
 * and with 1 for text that Prometheus could not read.
 */
const KNOWN_REMARKS = ["response_latency_ms metric names should not contain abbreviated units"];

/**
 * Checks a scrape.
 *
 * @param promtool path of the program
 * @returns what it says beyond the known remarks; empty when all is well
 */
export function checkMetrics(promtool: string, text: string): string[] {
  const run = Bun.spawnSync([promtool, "check", "metrics"], { stdin: new TextEncoder().encode(text) });
  const lines = `${run.stdout}${run.stderr}`.split("\n").filter((line) => line !== "" && !KNOWN_REMARKS.includes(line));
  return run.exitCode === 0 || run.exitCode === 3 ? lines : [...lines, `promtool ended with ${run.exitCode}`];
}
