/** `tulle proxy upgrade`: has a running proxy replaced by a new program, and says what became of it. */
import { resolve } from "node:path";
import { parseDuration } from "../../../base/duration.ts";
import { errorText, UsageError } from "../../../base/error.ts";
import { readText } from "../../../os/files.ts";

const HELP = `Replace the running proxy by a new program, without a refused or cut connection.

Usage: tulle proxy upgrade [--binary PATH] [--admin HOST:PORT] [--timeout 60s] [-o json]

The new program gets the listening sockets, loads the last good state and serves; then the process before listens no
longer, ends idle connections after their next request, and is gone when its last connection is, or after
TULLE_UPGRADE_GRACE. If the new program does not come to serve, nothing has happened: the exit status is 1, and the
reason is said. Counters of /metrics start anew. A signal SIGUSR2 to the proxy does the same with its own file.

Options:
  --binary PATH       program to run instead of the file that the proxy runs now; call it as the proxy's user or root
  --admin HOST:PORT   where the proxy's admin server listens; default $TULLE_ADMIN_ADDRESS, else 127.0.0.1:4191
  --timeout TIME      how long the new program may take to be ready; default 60s
  -o json             print the answer as JSON

Example, in the container of the sidecar:
  tulle proxy upgrade --binary /run/tulle/tulle-1.3
`;

/** How long the new program may take to become ready. */
const DEFAULT_UPGRADE_MS = 60_000;

interface Options {
  readonly admin: string;
  readonly binary: string | null;
  readonly timeoutMs: number;
  readonly isJson: boolean;
}

/** What the proxy answers. */
interface Answer {
  readonly ok?: boolean;
  readonly reason?: string;
  readonly proof?: string | null;
  readonly pid?: number;
  readonly version?: string;
  readonly graceMs?: number;
  readonly keepsPid?: boolean;
  readonly before?: { readonly pid: number; readonly version: string; readonly connections: number };
}

/** @param argv arguments after "upgrade" @throws Error when the upgrade failed */
export async function runUpgrade(argv: readonly string[]): Promise<void> {
  if (argv.includes("--help") || argv.includes("-h")) return void process.stdout.write(HELP);
  const options = parse(argv);
  const first = await ask(options, null);
  const answer = first.proof === undefined ? first : await ask(options, readProof(first.proof));
  if (options.isJson) process.stdout.write(JSON.stringify(answer) + "\n");
  if (answer.ok !== true) throw new Error(`the proxy was not upgraded: ${answer.reason ?? "it did not say why"}`);
  if (!options.isJson) process.stdout.write(textOf(answer));
}

function parse(argv: readonly string[]): Options {
  let admin = process.env["TULLE_ADMIN_ADDRESS"] ?? "127.0.0.1:4191";
  let binary: string | null = null;
  let timeoutMs: number | null = DEFAULT_UPGRADE_MS;
  let isJson = false;
  for (let i = 0; i < argv.length; i += 2) {
    const value = argv[i + 1];
    if (value === undefined) throw new UsageError(`${argv[i]} needs a value. See: tulle proxy upgrade --help`);
    if (argv[i] === "--binary") binary = resolve(value);
    else if (argv[i] === "--admin") admin = value;
    else if (argv[i] === "--timeout") timeoutMs = parseDuration(value);
    else if (argv[i] === "-o" && value === "json") isJson = true;
    else throw new UsageError(`unknown option ${argv[i]} ${value}. See: tulle proxy upgrade --help`);
  }
  if (timeoutMs === null) throw new UsageError("--timeout: want a duration such as 60s");
  // An address to listen on at all addresses is none to connect to.
  return { admin: admin.replace(/^(\[::\]|0\.0\.0\.0):/, "127.0.0.1:"), binary, timeoutMs, isJson };
}

async function ask({ admin, binary, timeoutMs }: Options, proof: string | null): Promise<Answer> {
  const query = new URLSearchParams({ "timeout-ms": String(timeoutMs) });
  if (binary !== null) query.set("binary", binary);
  let text: string;
  try {
    const response = await fetch(`http://${admin}/upgrade?${query}`, {
      method: "POST",
      headers: proof === null ? {} : { "tulle-proof": proof },
      signal: AbortSignal.timeout(timeoutMs + 10_000),
    });
    text = await response.text();
  } catch (error) {
    throw new Error(`no proxy answers at ${admin}: ${errorText(error)}. Is it another address (--admin)?`);
  }
  try {
    return JSON.parse(text);
  } catch {
    return { ok: false, reason: text.trim() };
  }
}

function readProof(path: string | null): string {
  try {
    return readText(path ?? "");
  } catch (error) {
    throw new Error(
      `cannot read ${path}, which shows that you may have the proxy run another program: ${errorText(error)}. ` +
        "Call it in the proxy's own container, as its user or root",
    );
  }
}

function textOf({ pid, version, before, keepsPid, graceMs }: Answer): string {
  const grace = `at most ${(graceMs ?? 0) / 1000} s`;
  const then = keepsPid === true
    ? `process ${before?.pid} finishes ${before?.connections} connections (${grace}), then becomes the new program itself`
    : `process ${before?.pid} (${before?.version}) finishes ${before?.connections} connections (${grace}) and ends`;
  return `process ${pid} serves, version ${version}; ${then}\n`;
}
