/** HAProxy: TLS hop; pair with mutual TLS between, HTTP/2 for HTTP/2; TCP mode with 64 KiB buffers. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { startServer } from "../../support/process.ts";
import type { Protocol } from "../cases.ts";
import { coresOf, type Rig, SERVER_NAME, type Subject, type Variant } from "../rig.ts";
import {
  HTTP_PROTOCOLS,
  type HttpProtocol,
  LOOPBACK,
  portsOf,
  READY_POLL_MS,
  type Side,
  startAll,
  subjectOf,
  targetsOf,
} from "./_processes.ts";

/** HTTP/2 has no reason phrase, and h2load counts an HTTP/1.1 response without one as failed. */
const REASON = '  http-response set-status 200 reason "OK" if { status 200 }\n';
const BUFFER_BYTES = { http: 16_384, tcp: 65_536 };

export async function haproxyHop(program: string, rig: Rig, variant: Variant): Promise<Subject> {
  const ports = await portsOf(HTTP_PROTOCOLS);
  const tls = `ssl crt ${rig.files.both}`;
  const config = global(variant, "http") + HTTP_PROTOCOLS.map((protocol) => {
    const [alpn, proto] = protocol === "h1" ? ["http/1.1", ""] : ["h2", " proto h2"];
    const backend = `${rig.backendHost}:${rig.backends[protocol]}${proto}`;
    return listen(protocol, "http", `${LOOPBACK}:${ports[protocol]} ${tls} alpn ${alpn}`, backend);
  }).join("");
  const sides = await startAll([
    () => start(program, rig, variant, { name: "hop", config, side: "a", protocols: HTTP_PROTOCOLS, port: ports.h1 }),
  ]);
  return subjectOf(variant.proxy, "hop", targetsOf(ports, true), sides);
}

/**
 * Requests of HTTP/1.1 travel as HTTP/2 between the two, multiplexed: half the CPU at 32 clients and more. The variant with
 * HTTP/1.1 there is cheaper with a single client, and at low rates.
 */
export async function haproxyPair(program: string, rig: Rig, variant: Variant): Promise<Subject> {
  const a = await portsOf([...HTTP_PROTOCOLS, "opaque"]);
  const b = await portsOf([...HTTP_PROTOCOLS, "opaque"]);
  const { both, ca } = rig.files;
  const client = `ssl crt ${both} ca-file ${ca} verify required sni str(${SERVER_NAME}) verifyhost ${SERVER_NAME}`;
  const server = `ssl crt ${both} ca-file ${ca} verify required`;
  const { backendHost: host, backends } = rig;
  const between = (protocol: HttpProtocol) => protocol === "h1" && variant.between === "h1" ? "http/1.1" : "h2";
  const proto = (protocol: HttpProtocol) => protocol === "h1" ? "" : " proto h2";
  const clientSide = (protocol: HttpProtocol, port: number) =>
    listen(
      protocol,
      "http",
      `${LOOPBACK}:${port}${proto(protocol)}`,
      `${LOOPBACK}:${b[protocol]} ${client} alpn ${between(protocol)}`,
      protocol === "h1" ? REASON : "",
    );
  const serverSide = (protocol: HttpProtocol) =>
    listen(
      protocol,
      "http",
      `${LOOPBACK}:${b[protocol]} ${server} alpn ${between(protocol)}`,
      `${host}:${backends[protocol]}${proto(protocol)}`,
    );
  const httpA = global(variant, "http") + HTTP_PROTOCOLS.map((each) => clientSide(each, a[each])).join("");
  const httpB = global(variant, "http") + HTTP_PROTOCOLS.map(serverSide).join("");
  const [bindA, bindB] = [`${LOOPBACK}:${a.opaque}`, `${LOOPBACK}:${b.opaque}`];
  const tcpA = global(variant, "tcp") + listen("tcp", "tcp", bindA, `${bindB} ${client}`);
  const tcpB = global(variant, "tcp") + listen("tcp", "tcp", `${bindB} ${server}`, `${host}:${backends.opaque}`);
  const launch = (name: string, config: string, side: "a" | "b", protocols: readonly Protocol[], port: number) => () =>
    start(program, rig, variant, { name, config, side, protocols, port });
  const sides = await startAll([
    launch("http-b", httpB, "b", HTTP_PROTOCOLS, b.h1),
    launch("http-a", httpA, "a", HTTP_PROTOCOLS, a.h1),
    launch("tcp-b", tcpB, "b", ["opaque"], b.opaque),
    launch("tcp-a", tcpA, "a", ["opaque"], a.opaque),
  ]);
  const another = (port: number) =>
    launch("another", global(variant, "http") + clientSide("h1", port), "a", [], port)();
  return subjectOf(variant.proxy, "pair", targetsOf(a, false), sides, another);
}

function global(variant: Variant, mode: "http" | "tcp"): string {
  return `global
  nbthread ${variant.threads}
  maxconn 10500
  no strict-limits
  tune.bufsize ${BUFFER_BYTES[mode]}
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

interface Process {
  readonly name: string;
  readonly config: string;
  readonly side: "a" | "b";
  readonly protocols: readonly Protocol[];
  /** One that it listens on. */
  readonly port: number;
}

async function start(program: string, rig: Rig, variant: Variant, process: Process): Promise<Side> {
  const name = `${variant.proxy}-${process.name}`;
  const file = join(rig.dir, `${name}.cfg`);
  writeFileSync(file, process.config);
  const child = await startServer({
    argv: [program, "-db", "-q", "-f", file],
    name,
    core: coresOf(variant),
    port: process.port,
    pollMs: READY_POLL_MS,
  });
  return { child, side: process.side, protocols: process.protocols };
}
