/** The Autobahn test suite and its peers, fetched once into .cache/. */
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { findProgram, run } from "../../support/process.ts";
import { CACHE } from "../go_tools.ts";

/** Of the suite only the cases are used: it is Python 2, and autobahn/run.py plays them in Python 3. */
export const AUTOBAHN = "autobahntestsuite==25.10.1";
const PYTHON_PACKAGES = ["h2==4.4.1", "websockets==17.4"];
const WS = "ws@8.23.0";
const FETCH_MS = 300_000;

/** What the suite runs. Each command lacks its last arguments. */
export interface Peers {
  readonly version: string;
  /** Plays cases: autobahn/run.py. */
  readonly player: readonly string[];
  readonly servers: readonly ServerPeer[];
  readonly clients: readonly ClientPeer[];
}

/** An echo server. */
export interface ServerPeer {
  readonly name: string;
  /** Of HTTP. */
  readonly version: "1" | "2";
  /** What its port is declared as. */
  readonly appProtocol: string;
  readonly argv: (port: number) => readonly string[];
}

/** An echo client: host, port and cases follow. */
export interface ClientPeer {
  readonly name: string;
  readonly version: "1" | "2";
  readonly argv: readonly string[];
}

/** Everything fetched and built, or why not. */
export async function preparePeers(): Promise<Peers | { readonly reason: string }> {
  const node = findProgram("node");
  const npm = findProgram("npm");
  const python = findProgram("python3");
  if (node === null || npm === null) return { reason: "Node.js or npm is missing, for the package ws" };
  if (python === null) return { reason: "python3 is missing, which plays the cases" };
  const folder = join(CACHE, "websocket");
  mkdirSync(folder, { recursive: true });
  const venv = join(folder, "venv");
  const suite = join(folder, AUTOBAHN.replace("==", "-"));
  const steps: (readonly [string, readonly string[]])[] = [
    [join(venv, "bin", "python"), [python, "-m", "venv", venv]],
    [join(venv, "bin", "websockets"), [join(venv, "bin", "pip"), "install", "-q", ...PYTHON_PACKAGES]],
    [`${suite}.tar.gz`, [
      ...[join(venv, "bin", "pip"), "download", "-q", "--no-deps", "--no-binary", ":all:", "-d", folder, AUTOBAHN],
    ]],
    [suite, ["tar", "-C", folder, "-xf", `${suite}.tar.gz`]],
    [join(folder, "node_modules", "ws"), [
      npm,
      "install",
      "--no-save",
      "--no-audit",
      "--no-fund",
      "--prefix",
      folder,
      WS,
    ]],
  ];
  for (const [made, argv] of steps) {
    if (existsSync(made)) continue;
    const done = await run({ argv, name: argv.slice(0, 3).join(" "), timeoutMs: FETCH_MS });
    if (done.code !== 0) return { reason: `${argv.join(" ")} failed: ${done.stderr.trim().slice(-300)}` };
  }
  const ws = [node, await buildPeer(folder)];
  const here = import.meta.dirname;
  const interpreter = join(venv, "bin", "python");
  return {
    version: `Autobahn ${AUTOBAHN.split("==")[1]}, ${WS}, ${PYTHON_PACKAGES.join(", ")}`,
    player: [interpreter, join(here, "autobahn", "run.py"), join(suite, "autobahntestsuite")],
    servers: [
      { name: "ws", version: "1", appProtocol: "http", argv: (port) => [...ws, "server", "1", String(port)] },
      {
        name: "websockets",
        version: "1",
        appProtocol: "kubernetes.io/ws",
        argv: (port) => [interpreter, join(here, "echo_server.py"), String(port)],
      },
      {
        name: "ws over HTTP/2",
        version: "2",
        appProtocol: "kubernetes.io/h2c",
        argv: (port) => [...ws, "server", "2", String(port)],
      },
    ],
    clients: [
      { name: "ws", version: "1", argv: [...ws, "client", "1"] },
      { name: "ws over HTTP/2", version: "2", argv: [...ws, "client", "2"] },
      { name: "websockets", version: "1", argv: [interpreter, join(here, "echo_client.py")] },
    ],
  };
}

/** Compiles ws_peer.ts for Node.js. */
async function buildPeer(outdir: string): Promise<string> {
  const built = await Bun.build({
    entrypoints: [join(import.meta.dirname, "ws_peer.ts")],
    outdir,
    target: "node",
    format: "esm",
    naming: "[name].mjs",
  });
  if (!built.success) throw new Error(built.logs.join("\n"));
  return join(outdir, "ws_peer.mjs");
}
