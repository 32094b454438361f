/** The interoperability clients and servers of grpc-go and of @grpc/grpc-js, as programs. */
import { join } from "node:path";
import { findProgram, run } from "../../support/process.ts";
import { CACHE, goBuild, goInstall } from "../go_tools.ts";

/** grpc-go, whose interop/client and interop/server are commands of the module itself. */
const GRPC_GO = ["google.golang.org/grpc", "v1.85.0"] as const;
/** How often the soak cases call; each call carries 0.6 MB. */
const SOAK_CALLS = 100;
/** Calls are not judged by their time: the machine may be busy. */
const SOAK = [
  `-soak_iterations=${SOAK_CALLS}`,
  "-soak_overall_timeout_seconds=35",
  "-soak_per_iteration_max_acceptable_latency_ms=30000",
];
/** Longest time for one case of grpc-go, milliseconds; a start of the program included. */
const CASE_MS = 40_000;

export interface CaseOutcome {
  readonly name: string;
  /** "" when the case held. */
  readonly error: string;
}

export interface ClientPeer {
  readonly name: string;
  readonly cases: readonly string[];
  /** Runs cases against a server. @param prefix put before the command */
  run(prefix: readonly string[], host: string, port: number, cases: readonly string[]): Promise<CaseOutcome[]>;
}

export interface ServerPeer {
  readonly name: string;
  /** Whether a case makes sense with it. */
  readonly has: (name: string) => boolean;
  argv(port: number): readonly string[];
}

export interface Peers {
  readonly version: string;
  readonly clients: readonly ClientPeer[];
  readonly servers: readonly ServerPeer[];
}

/** Cases that the client of grpc-go knows and that need neither TLS nor credentials of a cloud. */
const GO_CASES = [
  ...["empty_unary", "large_unary", "client_streaming", "server_streaming", "ping_pong", "empty_stream"],
  ...["timeout_on_sleeping_server", "cancel_after_begin", "cancel_after_first_response", "status_code_and_message"],
  ...["special_status_message", "custom_metadata", "unimplemented_method", "unimplemented_service"],
  ...["pick_first_unary", "orca_per_rpc", "orca_oob", "rpc_soak", "channel_soak"],
];

/** Cases of grpc-go's client of bad HTTP/2 servers; each has a server of its own. */
const HTTP2_CASES = ["goaway", "rst_after_header", "rst_during_data", "rst_after_data", "ping", "max_streams"];
const isGrpcCase = (name: string) => !HTTP2_CASES.includes(name);

/** Life of a connection to the server that lets them age: several end while a soak runs. */
const MAX_AGE = "50ms";
const AGING_CASES: ReadonlySet<string> = new Set(
  ["rpc_soak", "server_streaming", "client_compressed_unary", "client_compressed_streaming"],
);
/** Has the client look at load reports, as the test description asks. */
const ORCA_BALANCER = '{"loadBalancingConfig":[{"test_backend_metrics_load_balancer":{}}]}';

/** Everything built and found, or why not. */
export async function preparePeers(): Promise<Peers | { readonly reason: string }> {
  const node = findProgram("node");
  if (node === null) return { reason: "Node.js is missing, on which @grpc/grpc-js runs" };
  const go = await goInstall(...GRPC_GO, ["interop/client", "interop/server", "interop/http2"]);
  if ("reason" in go) return go;
  const aging = await goBuild(join(import.meta.dirname, "go_server", "main.go"), "interop-server", ...GRPC_GO);
  if ("reason" in aging) return aging;
  const scripts = await buildScripts();
  const proto = join(import.meta.dirname, "test.proto");
  const { version } = await Bun.file(join(import.meta.dirname, "../../../node_modules/@grpc/grpc-js/package.json"))
    .json() as { version: string };
  const server = [node, join(scripts, "js_server.mjs"), proto];
  const client = [node, join(scripts, "js_client.mjs"), proto];
  return {
    version: `grpc-go ${GRPC_GO[1]}, grpc-js ${version}`,
    clients: [
      goClient("go", go.path("client"), GO_CASES),
      await jsClient(client),
      goClient("go HTTP/2", go.path("http2"), HTTP2_CASES),
    ],
    servers: [
      { name: "go", has: isGrpcCase, argv: (port) => [go.path("server"), `-port=${port}`] },
      { name: "js", has: isGrpcCase, argv: (port) => [...server, String(port)] },
      {
        name: "go-aging",
        has: (name) => AGING_CASES.has(name),
        argv: (port) => [aging.path("interop-server"), `-port=${port}`, `-max_age=${MAX_AGE}`],
      },
      ...HTTP2_CASES.map((name) => ({
        name: "HTTP/2",
        has: (asked: string) => asked === name,
        argv: (port: number) => [node, join(scripts, "h2_server.mjs"), name, String(port)],
      })),
    ],
  };
}

/** Compiles the scripts for Node.js, which does not read TypeScript in the versions that are around. */
async function buildScripts(): Promise<string> {
  const outdir = join(CACHE, "grpc_interop"); // below the project, so that node_modules is found
  const entrypoints = ["js_server.ts", "js_client.ts", "h2_server.ts"].map((file) => join(import.meta.dirname, file));
  const built = await Bun.build({
    entrypoints,
    outdir,
    target: "node",
    format: "esm",
    naming: "[name].mjs",
    packages: "external",
  });
  if (!built.success) throw new Error(built.logs.join("\n"));
  return outdir;
}

function goClient(name: string, program: string, cases: readonly string[]): ClientPeer {
  return {
    name,
    cases,
    async run(prefix, host, port, cases) {
      const outcomes: CaseOutcome[] = [];
      for (const name of cases) {
        const target = [`-server_host=${host}`, `-server_port=${port}`, `-test_case=${name}`];
        if (name.startsWith("orca_")) target.push(`-service_config_json=${ORCA_BALANCER}`);
        if (cases === GO_CASES) target.push(...SOAK);
        const argv = [...prefix, program, ...target];
        outcomes.push({ name, error: await errorOf(argv, name) });
      }
      return outcomes;
    },
  };
}

/** What a run of grpc-go's client says when it fails; "" when the case held. */
async function errorOf(argv: readonly string[], name: string): Promise<string> {
  try {
    const done = await run({ argv, name, env: { GRPC_GO_LOG_SEVERITY_LEVEL: "error" }, timeoutMs: CASE_MS });
    if (done.code === 0) return "";
    const telling = done.stderr.split("\n").filter((line) => / failed: |FATAL/.test(line)); // the rest is a histogram
    return telling.slice(-3).join(" ").slice(-500) || `exit ${done.code}`;
  } catch (cause) {
    return cause instanceof Error ? cause.message : String(cause); // it hangs
  }
}

async function jsClient(argv: readonly string[]): Promise<ClientPeer> {
  const listed = await run({ argv: [...argv, "127.0.0.1:1"], name: "js client" });
  if (listed.code !== 0) throw new Error(`the grpc-js client does not start: ${listed.stderr}`);
  return {
    name: "js",
    cases: JSON.parse(listed.stdout) as string[],
    async run(prefix, host, port, cases) {
      const done = await run({
        argv: [...prefix, ...argv, `${host}:${port}`, ...cases],
        name: "js client",
        timeoutMs: CASE_MS * cases.length,
      });
      const lines = done.stdout.trim().split("\n").filter((line) => line !== "");
      const found = new Map(lines.map((line) => {
        const { case: name, error } = JSON.parse(line) as { case: string; error: string };
        return [name, error];
      }));
      return cases.map((name) => ({ name, error: found.get(name) ?? `no result: ${done.stderr.slice(-300)}` }));
    },
  };
}
