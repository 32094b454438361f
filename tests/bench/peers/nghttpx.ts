/** nghttpx: TLS hop; pair with mutual TLS and HTTP/2 between. It has no mode for opaque bytes. */
import { join } from "node:path";
import { startServer } from "../../support/process.ts";
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

export async function nghttpxHop(program: string, rig: Rig, variant: Variant): Promise<Subject> {
  const ports = await portsOf(HTTP_PROTOCOLS);
  const sides = await startAll(HTTP_PROTOCOLS.map((protocol) => () => {
    const options = [`--frontend=${LOOPBACK},${ports[protocol]}`, backend(rig, protocol)];
    return start(program, rig, variant, { protocol, side: "a", port: ports[protocol], options });
  }));
  return subjectOf(variant.proxy, "hop", targetsOf(ports, true), sides);
}

export async function nghttpxPair(program: string, rig: Rig, variant: Variant): Promise<Subject> {
  const a = await portsOf(HTTP_PROTOCOLS);
  const b = await portsOf(HTTP_PROTOCOLS);
  const { files } = rig;
  const verify = ["--verify-client", `--verify-client-cacert=${files.ca}`];
  const client = [
    `--cacert=${files.ca}`,
    `--client-cert-file=${files.certificate}`,
    `--client-private-key-file=${files.key}`,
  ];
  const between = (protocol: HttpProtocol) => `--backend=${LOOPBACK},${b[protocol]};;tls;proto=h2;sni=${SERVER_NAME}`;
  const serverSide = (protocol: HttpProtocol) => {
    const options = [`--frontend=${LOOPBACK},${b[protocol]}`, backend(rig, protocol), ...verify];
    return start(program, rig, variant, { protocol, side: "b", port: b[protocol], options });
  };
  const clientSide = (protocol: HttpProtocol, port: number) => {
    const options = [`--frontend=${LOOPBACK},${port};no-tls`, between(protocol), ...client];
    return start(program, rig, variant, { protocol, side: "a", port, options });
  };
  const sides = await startAll([
    ...HTTP_PROTOCOLS.map((protocol) => () => serverSide(protocol)),
    ...HTTP_PROTOCOLS.map((protocol) => () => clientSide(protocol, a[protocol])),
  ]);
  return subjectOf(variant.proxy, "pair", targetsOf(a, false), sides, (port) => clientSide("h1", port));
}

function backend(rig: Rig, protocol: HttpProtocol): string {
  const wanted = protocol === "h1" ? "http/1.1" : "h2";
  return `--backend=${rig.backendHost},${rig.backends[protocol]};;proto=${wanted}`;
}

interface Process {
  readonly protocol: HttpProtocol;
  readonly side: "a" | "b";
  readonly port: number;
  readonly options: readonly string[];
}

async function start(program: string, rig: Rig, variant: Variant, process: Process): Promise<Side> {
  const { protocol, side, port, options } = process;
  const argv = [
    program,
    "--conf=/dev/null",
    `--workers=${variant.threads}`,
    "--single-process",
    "--no-ocsp",
    "--tls-min-proto-version=TLSv1.3",
    "--accesslog-file=/dev/null",
    `--errorlog-file=${join(rig.dir, "nghttpx.log")}`,
    "--log-level=ERROR",
    "--frontend-http2-read-timeout=1h",
    "--frontend-keep-alive-timeout=1h",
    "--backend-keep-alive-timeout=1h",
    ...options,
    rig.files.key,
    rig.files.certificate,
  ];
  const name = `${variant.proxy} ${side} ${protocol}`;
  const child = await startServer({ argv, name, core: coresOf(variant), port, pollMs: READY_POLL_MS });
  return { child, side, protocols: [protocol] };
}
