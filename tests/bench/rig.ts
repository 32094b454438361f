/** What all proxies of a run share: backends on core 0, certificates, a folder; and the shape of a proxy under test. */
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { createCa, type TestCa } from "../support/certificates.ts";
import { randomSubnet } from "../support/mesh.ts";
import { freePort } from "../support/ports.ts";
import { type Child, findProgram, startServer } from "../support/process.ts";
import type { Protocol, Shape } from "./cases.ts";

/** Client and backends. */
export const LOAD_CORE = 0;
/** All proxies with one worker: both of a pair, so that a pair is compared at equal cost. */
const PROXY_CORE = "1";
/** Name in the certificates, and what clients ask for. */
export const SERVER_NAME = "bench.test";

/** A way to run a proxy. */
export interface Variant {
  /** As in results, for instance "haproxy-h1". */
  readonly proxy: string;
  readonly threads: 1 | 2;
  /** What carries HTTP/1.1 requests between the two of a pair. */
  readonly between: "h1" | "h2";
}

/** Cores for the proxies of a variant. With two workers on a machine of two cores they share one with the load. */
export function coresOf(variant: Variant, machineCores = cpus().length): string {
  if (variant.threads === 1) return PROXY_CORE;
  return machineCores > 2 ? "1-2" : "0-1";
}

export interface Files {
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
  /** Certificate and key in one file, as HAProxy wants them. */
  readonly both: string;
}

export interface Rig extends AsyncDisposable {
  readonly dir: string;
  /** Tells whoever runs the bench. */
  readonly say: (line: string) => void;
  readonly files: Files;
  readonly ca: TestCa;
  /** First three numbers of a loopback network of the variant's own, where all backends are at address 2: 127.x.y */
  subnetFor(variant: Variant): Promise<string>;
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
  /** Starts one more proxy of its kind as if for the first time, and ends it again. Milliseconds from exec until it serves. */
  readonly startAnother?: () => Promise<number>;
}

const SMALL = "hello world\n";
const TEN_KIB = "0123456789abcdef".repeat(640);

export async function startRig(dir: string, say: (line: string) => void): Promise<Rig> {
  const www = join(dir, "www");
  mkdirSync(www, { recursive: true });
  writeFileSync(join(www, "s"), SMALL);
  writeFileSync(join(www, "10k"), TEN_KIB);
  writeFileSync(join(www, "100k"), TEN_KIB.repeat(10));
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
  const subnet = randomSubnet();
  const backendHost = `${subnet}.2`;
  const backends = {
    h1: await freePort(backendHost),
    h2: await freePort(backendHost),
    grpc: await freePort(backendHost),
    opaque: await freePort(backendHost),
  };
  const children: Child[] = [];
  const subnets = new Map([[1, subnet]]);
  const rig: Rig = {
    dir,
    say,
    files,
    ca,
    async subnetFor({ threads }) {
      const known = subnets.get(threads);
      if (known !== undefined) return known;
      const other = randomSubnet();
      subnets.set(threads, other);
      await startBackends(rig, `${other}.2`, www, children);
      return other;
    },
    backendHost,
    backends,
    async [Symbol.asyncDispose]() {
      await Promise.all(children.map((child) => child.stop(1_000)));
    },
  };
  try {
    await startBackends(rig, backendHost, www, children);
    return rig;
  } catch (cause) {
    await rig[Symbol.asyncDispose]();
    throw cause;
  }
}

/** A backend per protocol; each is added to `children` as soon as it runs. */
async function startBackends(rig: Rig, host: string, www: string, children: Child[]): Promise<void> {
  children.push(await startNginxBackend(rig, host, www));
  children.push(await startNghttpd(rig, host, www));
  children.push(await startOwnServer("grpc_server.ts", host, rig.backends.grpc));
  children.push(await startOwnServer("opaque_server.ts", host, rig.backends.opaque));
}

async function startNginxBackend(rig: Rig, host: string, www: string): Promise<Child> {
  const program = need("nginx");
  const dir = join(rig.dir, `backend-${host}`);
  mkdirSync(dir, { recursive: true });
  const config = join(dir, "nginx.conf");
  // sendfile and tcp_nopush off: with them on loopback, stalls of 40 ms and more appear that are not the proxy's.
  writeFileSync(
    config,
    `daemon off; master_process off; worker_processes 1; pid ${dir}/pid; error_log ${dir}/error.log;
events { worker_connections 16384; }
http {
  access_log off; sendfile off; tcp_nopush off; tcp_nodelay on; keepalive_timeout 3600; keepalive_requests 1000000000;
  client_body_temp_path ${dir}/1; proxy_temp_path ${dir}/2; fastcgi_temp_path ${dir}/3; uwsgi_temp_path ${dir}/4; scgi_temp_path ${dir}/5;
  open_file_cache max=16 inactive=1h;
  server {
    listen ${host}:${rig.backends.h1} backlog=4096;
    location = /s { return 200 "hello world\\n"; }
    location / { root ${www}; }
  }
}
`,
  );
  const argv = [program, "-c", config, "-p", dir, "-e", `${dir}/error.log`];
  return await startServer({ argv, name: "nginx backend", core: LOAD_CORE, host, port: rig.backends.h1 });
}

async function startNghttpd(rig: Rig, host: string, www: string): Promise<Child> {
  const port = rig.backends.h2;
  const argv = [need("nghttpd"), "--no-tls", "-a", host, "-d", www, String(port)];
  return await startServer({ argv, name: "nghttpd", core: LOAD_CORE, host, port });
}

async function startOwnServer(script: string, host: string, port: number): Promise<Child> {
  const argv = [process.execPath, join(import.meta.dirname, "load", script), host, String(port)];
  return await startServer({ argv, name: script, core: LOAD_CORE, host, port });
}

function need(name: string): string {
  const program = findProgram(name);
  if (program === null) {
    throw new Error(`bench: ${name} is missing; install it with: apt-get install nginx nghttp2-server nghttp2-client`);
  }
  return program;
}
