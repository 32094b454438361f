/** nghttpx, one worker: TLS hop; pair with mutual TLS and HTTP/2 between. It has no mode for opaque bytes. */
import { join } from "node:path";
import { freePorts } from "../../support/ports.ts";
import { startServer } from "../../support/process.ts";
import type { Protocol } from "../cases.ts";
import { PROXY_CORE, type Rig, SERVER_NAME, type Subject } from "../rig.ts";
import { type Side, startAll, subjectOf } from "./_processes.ts";

const LOOPBACK = "127.0.0.1";

export async function nghttpxHop(program: string, rig: Rig): Promise<Subject> {
  const [h1 = 0, h2 = 0] = await freePorts(2);
  const sides = await startAll([
    () => start(program, rig, "h1", "a", h1, [`--frontend=${LOOPBACK},${h1}`, backend(rig, "h1")]),
    () => start(program, rig, "h2", "a", h2, [`--frontend=${LOOPBACK},${h2}`, backend(rig, "h2")]),
  ]);
  const target = (port: number) => ({ host: LOOPBACK, port, tls: true });
  return subjectOf("nghttpx", "hop", { h1: target(h1), h2: target(h2) }, sides);
}

export async function nghttpxPair(program: string, rig: Rig): Promise<Subject> {
  const [a1 = 0, a2 = 0, b1 = 0, b2 = 0] = await freePorts(4);
  const { files } = rig;
  const verify = ["--verify-client", `--verify-client-cacert=${files.ca}`];
  const client = [
    `--cacert=${files.ca}`,
    `--client-cert-file=${files.certificate}`,
    `--client-private-key-file=${files.key}`,
  ];
  const between = (port: number) => `--backend=${LOOPBACK},${port};;tls;proto=h2;sni=${SERVER_NAME}`;
  const plain = (port: number) => `--frontend=${LOOPBACK},${port};no-tls`;
  const sides = await startAll([
    () => start(program, rig, "h1", "b", b1, [`--frontend=${LOOPBACK},${b1}`, backend(rig, "h1"), ...verify]),
    () => start(program, rig, "h2", "b", b2, [`--frontend=${LOOPBACK},${b2}`, backend(rig, "h2"), ...verify]),
    () => start(program, rig, "h1", "a", a1, [plain(a1), between(b1), ...client]),
    () => start(program, rig, "h2", "a", a2, [plain(a2), between(b2), ...client]),
  ]);
  const target = (port: number) => ({ host: LOOPBACK, port, tls: false });
  return subjectOf("nghttpx", "pair", { h1: target(a1), h2: target(a2) }, sides);
}

function backend(rig: Rig, protocol: "h1" | "h2"): string {
  const wanted = protocol === "h2" ? "h2" : "http/1.1";
  return `--backend=${rig.backendHost},${rig.backends[protocol]};;proto=${wanted}`;
}

async function start(
  program: string,
  rig: Rig,
  protocol: Protocol,
  side: "a" | "b",
  port: number,
  options: readonly string[],
): Promise<Side> {
  const argv = [
    program,
    "--conf=/dev/null",
    "--workers=1",
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
  const child = await startServer({ argv, name: `nghttpx ${side}`, core: PROXY_CORE, port });
  return { child, side, protocols: [protocol] };
}
