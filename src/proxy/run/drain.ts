/** `tulle proxy drain`: asks the proxy of this network namespace to drain. A pod runs it before its containers are stopped. */
import { UsageError } from "../../base/error.ts";

const DEFAULT_PORT = 4191;
/** Longest wait for the answer, milliseconds. */
const TIMEOUT_MS = 5_000;

const HELP =
  `Ask the sidecar of this pod to drain: sidecars of others send their requests elsewhere, what runs finishes.

Usage: tulle proxy drain [--port 4191]

Example, as the preStop hook of the sidecar:
  lifecycle: {preStop: {exec: {command: [tulle, proxy, drain]}}}
`;

/** @param argv arguments after "drain" @throws Error when no proxy answers */
export async function runDrain(argv: readonly string[]): Promise<void> {
  if (argv.includes("--help") || argv.includes("-h")) return void process.stdout.write(HELP);
  const port = argv.length === 0 ? DEFAULT_PORT : argv[0] === "--port" && argv.length === 2 ? Number(argv[1]) : NaN;
  if (!Number.isInteger(port) || port < 1 || port > 65535) {
    throw new UsageError(`found ${argv.join(" ")}, want nothing or --port 1–65535. See: tulle proxy drain --help`);
  }
  const response = await fetch(`http://127.0.0.1:${port}/drain`, {
    method: "POST",
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  if (!response.ok) throw new Error(`the proxy refuses to drain: ${response.status} ${(await response.text()).trim()}`);
}
