/**
 * Servers of others, each with a parser of its own, that read again what the application was sent: where one of them sees other
 * requests than the strictest reading does, the bytes have two meanings.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../../support/ports.ts";
import { findProgram, run, startServer } from "../../support/process.ts";
import { connectTcp } from "../../support/tcp.ts";

const CACHE = join(import.meta.dirname, "..", "..", "..", ".cache");
const HERE = join(import.meta.dirname, "backends");
/** Pinned: another version may read differently, and the results are kept. */
const PYTHON_PACKAGES = [
  "aiohttp==3.14.5",
  "gunicorn==27.0.1",
  "h11==0.16.0",
  "httptools==0.9.0",
  "tornado==6.6.1",
  "uvicorn==0.54.0",
  "waitress==3.0.2",
];
const PYTHON_SERVERS = ["h11", "httptools", "gunicorn", "waitress", "aiohttp", "tornado"];

/** Behind a stream that should be whole: a back end that waits for more of a body would not see it. */
const SENTINEL = "GET /sentinel HTTP/1.1\r\nHost: sentinel\r\nConnection: close\r\n\r\n";
/** Longest wait for a back end to close the connection. */
const END_MS = 20_000;
/** … where the stream breaks off, and nothing is to be waited for. */
const BROKEN_MS = 150;

/** What a back end has made of a stream. */
export interface BackendReading {
  /** "METHOD target bytes" of each request, the sentinel included; bytes are "-" where the server does not tell. */
  readonly seen: readonly string[];
  /** It closed the connection; otherwise it waits for more. */
  readonly isClosed: boolean;
}

export interface Backend {
  readonly name: string;
  readonly port: number;
}

/** Programs for the back ends, fetched and built where they are missing; `say` tells what cannot be had. */
export interface BackendPrograms {
  readonly node: string | null;
  readonly nginx: string | null;
  readonly python: string | null;
  /** Python with the packages above. */
  readonly venv: string | null;
  readonly go: string | null;
}

/** @param quick without the servers that PyPI has */
export async function installBackends(say: (line: string) => void, quick: boolean): Promise<BackendPrograms> {
  return {
    node: findProgram("node"),
    nginx: findProgram("nginx"),
    python: findProgram("python3"),
    venv: quick ? null : await installPython(say),
    go: await buildGo(say),
  };
}

async function installPython(say: (line: string) => void): Promise<string | null> {
  const python = findProgram("python3");
  if (python === null) return null;
  const key = createHash("sha256").update(PYTHON_PACKAGES.join()).digest("hex").slice(0, 12);
  const venv = join(CACHE, `http1-python-${key}`);
  const program = join(venv, "bin", "python3");
  if (existsSync(join(venv, "complete"))) return program;
  const made = await run({ argv: [python, "-m", "venv", "--clear", venv], timeoutMs: 120_000 });
  const argv = [program, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", ...PYTHON_PACKAGES];
  const done = made.code === 0 ? await run({ argv, timeoutMs: 300_000 }) : made;
  if (done.code === 0) {
    writeFileSync(join(venv, "complete"), "");
    return program;
  }
  say(`without ${PYTHON_SERVERS.join(", ")}: ${done.stderr.trim().split("\n").at(-1) ?? ""}`);
  rmSync(venv, { recursive: true, force: true });
  return null;
}

async function buildGo(say: (line: string) => void): Promise<string | null> {
  const go = findProgram("go");
  if (go === null) return null;
  const source = join(HERE, "main.go");
  const key = createHash("sha256").update(readFileSync(source)).digest("hex").slice(0, 12);
  const program = join(CACHE, "bin", `http1-backend-${key}`);
  if (existsSync(program)) return program;
  mkdirSync(join(CACHE, "bin"), { recursive: true });
  const built = await run({ argv: [go, "build", "-o", program, source], timeoutMs: 300_000 });
  if (built.code === 0) return program;
  say(`without Go's net/http: ${built.stderr.trim()}`);
  return null;
}

/** Starts all that can be had; `stack` ends them. @param dir for nginx's files */
export async function startBackends(
  programs: BackendPrograms,
  stack: AsyncDisposableStack,
  dir: string,
): Promise<Backend[]> {
  const { node, nginx, python, venv, go } = programs;
  const jobs: Promise<Backend>[] = [];
  const start = (name: string, argvOf: (port: number) => string[]) => jobs.push(startOne(stack, name, argvOf));
  if (node !== null) start("node", (port) => [node, join(HERE, "node.mjs"), String(port)]);
  if (go !== null) start("go", (port) => [go, String(port)]);
  if (nginx !== null) {
    start("nginx", (port) => {
      writeFileSync(join(dir, "nginx.conf"), nginxConfig(dir, port));
      return [nginx, "-c", join(dir, "nginx.conf"), "-p", dir, "-e", join(dir, "error.log")];
    });
  }
  const script = join(HERE, "python.py");
  if (python !== null) start("http.server", (port) => [python, script, "http.server", String(port)]);
  if (venv !== null) { for (const kind of PYTHON_SERVERS) start(kind, (port) => [venv, script, kind, String(port)]); }
  const started = await Promise.all(jobs);
  const bun = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: answerAsBun });
  stack.defer(() => bun.stop(true));
  return [...started, { name: "Bun.serve", port: bun.port ?? 0 }];
}

async function startOne(
  stack: AsyncDisposableStack,
  name: string,
  argvOf: (port: number) => string[],
): Promise<Backend> {
  const port = await freePort();
  stack.use(await startServer({ argv: argvOf(port), name, port, timeoutMs: 60_000 }));
  return { name, port };
}

async function answerAsBun(request: Request): Promise<Response> {
  const { byteLength } = await request.arrayBuffer();
  // Without a Host its url is the path alone; with a malformed one it is no URL at all.
  const url = URL.parse(request.url, "http://bun");
  if (url === null) return new Response(null, { status: 400 });
  const bytes = request.body === null ? "-" : byteLength; // for GET and its like the bytes are read and not shown
  return new Response(null, { headers: { "x-seen": `${request.method} ${url.pathname}${url.search} ${bytes}` } });
}

function nginxConfig(dir: string, port: number): string {
  return `daemon off; master_process off; pid ${dir}/pid; error_log ${dir}/error.log crit;
events { worker_connections 512; }
http {
  access_log off; client_max_body_size 0; underscores_in_headers on; keepalive_requests 100000;
  client_body_temp_path ${dir}/1; proxy_temp_path ${dir}/2; fastcgi_temp_path ${dir}/3; uwsgi_temp_path ${dir}/4;
  scgi_temp_path ${dir}/5;
  server {
    listen 127.0.0.1:${port};
    location / { add_header X-Seen "$request_method $request_uri -"; return 200; }
  }
}
`;
}

/** Sends a stream to a back end. @param isWhole it ends where a message ends */
export async function readBy(backend: Backend, bytes: Buffer, isWhole: boolean): Promise<BackendReading> {
  using peer = await connectTcp({ host: "127.0.0.1", port: backend.port });
  const received: Uint8Array[] = [];
  let isClosed = false;
  const reading = (async () => {
    for (;;) {
      const chunk = await peer.read(60_000).catch(() => null);
      if (chunk === null) break;
      received.push(chunk);
    }
    isClosed = true;
  })();
  await peer.write(isWhole ? Buffer.concat([bytes, Buffer.from(SENTINEL)]) : bytes).catch(() => {}); // it may hang up
  await Promise.race([reading, Bun.sleep(isWhole ? END_MS : BROKEN_MS)]);
  const text = Buffer.concat(received).toString("latin1");
  return { seen: [...text.matchAll(/^x-seen: *(.*?)\r?$/gim)].map(([, name = ""]) => name), isClosed };
}
