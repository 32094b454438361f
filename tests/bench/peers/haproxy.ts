/** HAProxy, one thread: TLS hop; pair with mutual TLS between, HTTP/2 for HTTP/2; TCP mode with 64 KiB buffers. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePorts } from "../../support/ports.ts";
import { startServer } from "../../support/process.ts";
import { PROXY_CORE, type Rig, SERVER_NAME, type Subject } from "../rig.ts";
import type { Protocol } from "../cases.ts";
import { type Side, startAll, subjectOf } from "./_processes.ts";

const LOOPBACK = "127.0.0.1";

/** Between the two of a pair: what carries HTTP/1.1. Measured with both; HTTP/1.1 is the cheaper one for HAProxy. */
const H1_BETWEEN: "h1" | "h2" = "h1";

export async function haproxyHop(program: string, rig: Rig): Promise<Subject> {
  const [h1 = 0, h2 = 0] = await freePorts(2);
  const tls = `ssl crt ${rig.files.both}`;
  const config = global(16_384) + [
    listen("h1", "http", `${LOOPBACK}:${h1} ${tls} alpn http/1.1`, `${rig.backendHost}:${rig.backends.h1}`),
    listen("h2", "http", `${LOOPBACK}:${h2} ${tls} alpn h2`, `${rig.backendHost}:${rig.backends.h2} proto h2`),
  ].join("");
  const sides = await startAll([() => start(program, rig, "hop", config, "a", ["h1", "h2"], h1)]);
  const target = (port: number) => ({ host: LOOPBACK, port, tls: true });
  return subjectOf("haproxy", "hop", { h1: target(h1), h2: target(h2) }, sides);
}

export async function haproxyPair(program: string, rig: Rig): Promise<Subject> {
  const [a1 = 0, a2 = 0, a3 = 0, b1 = 0, b2 = 0, b3 = 0] = await freePorts(6);
  const { both, ca } = rig.files;
  const client = `ssl crt ${both} ca-file ${ca} verify required sni str(${SERVER_NAME}) verifyhost ${SERVER_NAME}`;
  const server = `ssl crt ${both} ca-file ${ca} verify required`;
  const between = H1_BETWEEN === "h2" ? "h2" : "http/1.1";
  const { backendHost: host, backends } = rig;
  const httpA = global(16_384) +
    listen("h1", "http", `${LOOPBACK}:${a1}`, `${LOOPBACK}:${b1} ${client} alpn ${between}`) +
    listen("h2", "http", `${LOOPBACK}:${a2} proto h2`, `${LOOPBACK}:${b2} ${client} alpn h2`);
  const httpB = global(16_384) +
    listen("h1", "http", `${LOOPBACK}:${b1} ${server} alpn ${between}`, `${host}:${backends.h1}`) +
    listen("h2", "http", `${LOOPBACK}:${b2} ${server} alpn h2`, `${host}:${backends.h2} proto h2`);
  const tcpA = global(65_536) + listen("tcp", "tcp", `${LOOPBACK}:${a3}`, `${LOOPBACK}:${b3} ${client}`);
  const tcpB = global(65_536) + listen("tcp", "tcp", `${LOOPBACK}:${b3} ${server}`, `${host}:${backends.opaque}`);
  const sides = await startAll([
    () => start(program, rig, "http-b", httpB, "b", ["h1", "h2"], b1),
    () => start(program, rig, "http-a", httpA, "a", ["h1", "h2"], a1),
    () => start(program, rig, "tcp-b", tcpB, "b", ["opaque"], b3),
    () => start(program, rig, "tcp-a", tcpA, "a", ["opaque"], a3),
  ]);
  const target = (port: number) => ({ host: LOOPBACK, port, tls: false });
  return subjectOf("haproxy", "pair", { h1: target(a1), h2: target(a2), opaque: target(a3) }, sides);
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

function listen(name: string, mode: "http" | "tcp", bind: string, server: string): string {
  return `listen ${name}\n  mode ${mode}\n  bind ${bind}\n  server backend ${server}\n`;
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
  const file = join(rig.dir, `haproxy-${name}.cfg`);
  writeFileSync(file, config);
  const child = await startServer({
    argv: [program, "-db", "-q", "-f", file],
    name: `haproxy ${name}`,
    core: PROXY_CORE,
    port,
  });
  return { child, side, protocols };
}
