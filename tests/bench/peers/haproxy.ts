/** HAProxy, one thread: TLS hop; pair with mutual TLS between, HTTP/2 for HTTP/2; TCP mode with 64 KiB buffers. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePorts } from "../../support/ports.ts";
import { startServer } from "../../support/process.ts";
import { PROXY_CORE, type Rig, SERVER_NAME, type Subject } from "../rig.ts";
import type { Protocol } from "../cases.ts";
import { type Side, startAll, subjectOf } from "./_processes.ts";

const LOOPBACK = "127.0.0.1";
/** HTTP/2 has no reason phrase, and h2load counts an HTTP/1.1 response without one as failed. */
const REASON = '  http-response set-status 200 reason "OK" if { status 200 }\n';

export async function haproxyHop(program: string, rig: Rig): Promise<Subject> {
  const [h1 = 0, h2 = 0] = await freePorts(2);
  const tls = `ssl crt ${rig.files.both}`;
  const config = global(16_384) + [
    listen("h1", "http", `${LOOPBACK}:${h1} ${tls} alpn http/1.1`, `${rig.backendHost}:${rig.backends.h1}`),
    listen("h2", "http", `${LOOPBACK}:${h2} ${tls} alpn h2`, `${rig.backendHost}:${rig.backends.h2} proto h2`),
  ].join("");
  const sides = await startAll([() => start(program, rig, "haproxy-hop", config, "a", ["h1", "h2"], h1)]);
  const target = (port: number) => ({ host: LOOPBACK, port, tls: true });
  return subjectOf("haproxy", "hop", { h1: target(h1), h2: target(h2) }, sides);
}

/** Requests of HTTP/1.1 travel as HTTP/2 between the two, multiplexed: half the CPU at 32 clients and more. */
export function haproxyPair(program: string, rig: Rig): Promise<Subject> {
  return startPair(program, rig, "haproxy", "h2");
}

/** The same with HTTP/1.1 between the two: cheaper with a single client, and at low rates. */
export function haproxyH1Pair(program: string, rig: Rig): Promise<Subject> {
  return startPair(program, rig, "haproxy-h1", "http/1.1");
}

async function startPair(program: string, rig: Rig, proxy: string, between: "h2" | "http/1.1"): Promise<Subject> {
  const [a1 = 0, a2 = 0, a3 = 0, b1 = 0, b2 = 0, b3 = 0] = await freePorts(6);
  const { both, ca } = rig.files;
  const client = `ssl crt ${both} ca-file ${ca} verify required sni str(${SERVER_NAME}) verifyhost ${SERVER_NAME}`;
  const server = `ssl crt ${both} ca-file ${ca} verify required`;
  const { backendHost: host, backends } = rig;
  const httpA = global(16_384) +
    listen("h1", "http", `${LOOPBACK}:${a1}`, `${LOOPBACK}:${b1} ${client} alpn ${between}`, REASON) +
    listen("h2", "http", `${LOOPBACK}:${a2} proto h2`, `${LOOPBACK}:${b2} ${client} alpn h2`);
  const httpB = global(16_384) +
    listen("h1", "http", `${LOOPBACK}:${b1} ${server} alpn ${between}`, `${host}:${backends.h1}`) +
    listen("h2", "http", `${LOOPBACK}:${b2} ${server} alpn h2`, `${host}:${backends.h2} proto h2`);
  const tcpA = global(65_536) + listen("tcp", "tcp", `${LOOPBACK}:${a3}`, `${LOOPBACK}:${b3} ${client}`);
  const tcpB = global(65_536) + listen("tcp", "tcp", `${LOOPBACK}:${b3} ${server}`, `${host}:${backends.opaque}`);
  const sides = await startAll([
    () => start(program, rig, `${proxy}-http-b`, httpB, "b", ["h1", "h2"], b1),
    () => start(program, rig, `${proxy}-http-a`, httpA, "a", ["h1", "h2"], a1),
    () => start(program, rig, `${proxy}-tcp-b`, tcpB, "b", ["opaque"], b3),
    () => start(program, rig, `${proxy}-tcp-a`, tcpA, "a", ["opaque"], a3),
  ]);
  const target = (port: number) => ({ host: LOOPBACK, port, tls: false });
  return subjectOf(proxy, "pair", { h1: target(a1), h2: target(a2), opaque: target(a3) }, sides);
}

function global(bufferBytes: number): string {
  return `global
  nbthread 1
  maxconn 8000
  tune.bufsize ${bufferBytes}
  ssl-default-bind-options ssl-min-ver TLSv1.3
  ssl-default-server-options ssl-min-ver TLSv1.3
defaults
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  option http-keep-alive
  http-reuse always
  no log
`;
}

function listen(name: string, mode: "http" | "tcp", bind: string, server: string, rules = ""): string {
  return `listen ${name}\n  mode ${mode}\n  bind ${bind}\n${rules}  server backend ${server} pool-purge-delay 1h\n`;
}

async function start(
  program: string,
  rig: Rig,
  name: string,
  config: string,
  side: "a" | "b",
  protocols: readonly Protocol[],
  port: number,
): Promise<Side> {
  const file = join(rig.dir, `${name}.cfg`);
  writeFileSync(file, config);
  const child = await startServer({
    argv: [program, "-db", "-q", "-f", file],
    name,
    core: PROXY_CORE,
    port,
  });
  return { child, side, protocols };
}
