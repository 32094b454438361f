/** What all proxies of a run share: backends on core 0, certificates, a folder; and the shape of a proxy under test. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createCa, type TestCa } from "../support/certificates.ts";
import { freePort } from "../support/ports.ts";
import { type Child, findProgram, startServer } from "../support/process.ts";
import type { Protocol, Shape } from "./cases.ts";

/** Client and backends. */
export const LOAD_CORE = 0;
/** All proxies: both of a pair, so that a pair is compared at equal cost. */
export const PROXY_CORE = 1;
/** Name in the certificates, and what clients ask for. */
export const SERVER_NAME = "bench.test";

export interface Files {
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
  /** Certificate and key in one file, as HAProxy wants them. */
  readonly both: string;
}

export interface Rig extends AsyncDisposable {
  readonly dir: string;
  readonly files: Files;
  readonly ca: TestCa;
  /** First three numbers of a loopback network of this run's own: 127.x.y */
  readonly subnet: string;
  /** Address of the backends. */
  readonly backendHost: string;
  /** Port of the backend for each protocol. */
  readonly backends: Readonly<Record<Protocol, number>>;
}

/** Where a client connects for one protocol. */
export interface Target {
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
}

/** A proxy, or pair of proxies, under test. Whoever started it disposes of it. */
export interface Subject extends AsyncDisposable {
  readonly proxy: string;
  readonly shape: Shape | "direct";
  /** Null: it cannot do that protocol. */
  target(protocol: Protocol): Target | null;
  /** Process ids whose CPU and memory count: the client's side, and the server's side (empty for a hop). */
  sides(protocol: Protocol): { readonly a: readonly number[]; readonly b: readonly number[] };
}

const SMALL = "hello world\n";
const TEN_KIB = "0123456789abcdef".repeat(640);

export async function startRig(dir: string): Promise<Rig> {
  const www = join(dir, "www");
  mkdirSync(www, { recursive: true });
  writeFileSync(join(www, "s"), SMALL);
  writeFileSync(join(www, "10k"), TEN_KIB);
  const ca = await createCa("bench root");
  const leaf = await ca.issue({ commonName: SERVER_NAME, dnsNames: [SERVER_NAME], ips: ["127.0.0.1"] });
  const files = {
    ca: join(dir, "ca.pem"),
    certificate: join(dir, "leaf.pem"),
    key: join(dir, "leaf.key"),
    both: join(dir, "both.pem"),
  };
  writeFileSync(files.ca, ca.certificate);
  writeFileSync(files.certificate, leaf.certificate);
  writeFileSync(files.key, leaf.key, { mode: 0o600 });
  writeFileSync(files.both, leaf.certificate + "\n" + leaf.key, { mode: 0o600 });
  const subnet = `127.${64 + Math.floor(Math.random() * 128)}.${Math.floor(Math.random() * 256)}`;
  const backendHost = `${subnet}.2`;
  const backends = {
    h1: await freePort(backendHost),
    h2: await freePort(backendHost),
    opaque: await freePort(backendHost),
  };
  const children: Child[] = [];
  const rig: Rig = {
    dir,
    files,
    ca,
    subnet,
    backendHost,
    backends,
    async [Symbol.asyncDispose]() {
      await Promise.all(children.map((child) => child.stop(1_000)));
    },
  };
  try {
    children.push(await startNginxBackend(rig, www), await startNghttpd(rig, www), await startOpaqueServer(rig));
    return rig;
  } catch (cause) {
    await rig[Symbol.asyncDispose]();
    throw cause;
  }
}

async function startNginxBackend(rig: Rig, www: string): Promise<Child> {
  const program = need("nginx");
  const dir = join(rig.dir, "backend");
  mkdirSync(dir, { recursive: true });
  const config = join(dir, "nginx.conf");
  // sendfile and tcp_nopush off: with them on loopback, stalls of 40 ms and more appear that are not the proxy's.
  writeFileSync(
    config,
    `daemon off; master_process off; worker_processes 1; pid ${dir}/pid; error_log ${dir}/error.log;
events { worker_connections 8192; }
http {
  access_log off; sendfile off; tcp_nopush off; tcp_nodelay on; keepalive_timeout 3600; keepalive_requests 1000000000;
  client_body_temp_path ${dir}/1; proxy_temp_path ${dir}/2; fastcgi_temp_path ${dir}/3; uwsgi_temp_path ${dir}/4; scgi_temp_path ${dir}/5;
  open_file_cache max=16 inactive=1h;
  server {
    listen ${rig.backendHost}:${rig.backends.h1} backlog=4096;
    location = /s { return 200 "hello world\\n"; }
    location / { root ${www}; }
  }
}
`,
  );
  const { backendHost: host, backends } = rig;
  const argv = [program, "-c", config, "-p", dir, "-e", `${dir}/error.log`];
  return await startServer({ argv, name: "nginx backend", core: LOAD_CORE, host, port: backends.h1 });
}

async function startNghttpd(rig: Rig, www: string): Promise<Child> {
  const { backendHost: host, backends } = rig;
  const argv = [need("nghttpd"), "--no-tls", "-a", host, "-d", www, String(backends.h2)];
  return await startServer({ argv, name: "nghttpd", core: LOAD_CORE, host, port: backends.h2 });
}

async function startOpaqueServer(rig: Rig): Promise<Child> {
  const { backendHost: host, backends } = rig;
  const script = join(import.meta.dirname, "load", "opaque_server.ts");
  const argv = [process.execPath, script, host, String(backends.opaque)];
  return await startServer({ argv, name: "opaque server", core: LOAD_CORE, host, port: backends.opaque });
}

function need(name: string): string {
  const program = findProgram(name);
  if (program === null) {
    throw new Error(`bench: ${name} is missing; install it with: apt-get install nginx nghttp2-server nghttp2-client`);
  }
  return program;
}
