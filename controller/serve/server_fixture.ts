/** A server on a port of its own, and clients of it, for tests. */
import { type ClientHttp2Session, connect } from "node:http2";
import type { ConnectRouter } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { createLogger } from "../../src/base/log.ts";
import { createCa, type KeyPair } from "../../tests/support/certificates.ts";
import { ControlServer, type ServerOptions } from "./server.ts";

export const ca = await createCa();
const DNS_NAME = "tulle.local";
const own = await ca.issue({ dnsNames: [DNS_NAME] });

export interface Running extends AsyncDisposable {
  readonly port: number;
  /** Warnings and errors, a JSON object each. */
  readonly logged: readonly string[];
}

type Parts = Partial<Pick<ServerOptions, "admit" | "streams" | "rooms">>;

export async function serve(routes: (router: ConnectRouter) => void, parts: Parts = {}): Promise<Running> {
  const logged: string[] = [];
  const server = await ControlServer.listen({
    host: "127.0.0.1",
    port: 0,
    identity: { keyPem: own.key, certificatePem: own.certificate, bundlePem: ca.certificate },
    routes,
    admit: () => {},
    streams: new Map(),
    rooms: new Map(),
    log: createLogger({ level: "warn", now: Date.now, write: (line) => void logged.push(line) }),
    now: Date.now,
    ...parts,
  });
  return { port: server.port, logged, [Symbol.asyncDispose]: () => server.close(0) };
}

export type Kind = "connect" | "connect, JSON" | "connect, HTTP/1.1" | "grpc";

/** @param client null for one without a certificate */
export function transportOf({ port }: Running, client: KeyPair | null, kind: Kind = "connect") {
  const identity = client === null ? {} : { key: client.key, cert: client.certificate };
  const nodeOptions = { ca: ca.certificate, servername: DNS_NAME, ...identity };
  const baseUrl = `https://127.0.0.1:${port}`;
  if (kind === "grpc") return createGrpcTransport({ baseUrl, nodeOptions });
  const httpVersion = kind === "connect, HTTP/1.1" ? "1.1" : "2";
  return createConnectTransport({ baseUrl, nodeOptions, httpVersion, useBinaryFormat: kind !== "connect, JSON" });
}

/** A client that keeps to HTTP/2 alone. */
export function rawSession({ port }: Running): ClientHttp2Session & Disposable {
  const session = connect(`https://127.0.0.1:${port}`, { ca: ca.certificate, servername: DNS_NAME });
  session.on("error", () => {});
  return Object.assign(session, { [Symbol.dispose]: () => session.destroy() });
}
