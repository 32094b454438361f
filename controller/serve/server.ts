/** The port that proxies connect to: TLS 1.3, HTTP/2 (HTTP/1.1 for unary calls by curl), Connect and gRPC. */
import { X509Certificate } from "node:crypto";
import { createSecureServer, type Http2SecureServer, type ServerHttp2Session } from "node:http2";
import type { DetailedPeerCertificate, TLSSocket } from "node:tls";
import { type ConnectRouter, createContextValues } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { certificatesOf } from "../core/pem.ts";
import { listeningPort, startListening } from "./_listen.ts";
import { MAX_CHAIN, PEER, type Peer, verifyPeer } from "./peer.ts";

/** Largest message of a proxy, bytes: a hello with MAX_TARGETS known versions has about 400 KB. */
const MAX_MESSAGE_BYTES = 1024 * 1024;
/** A proxy uses three streams; the rest is room for tools. */
const MAX_STREAMS_PER_CONNECTION = 100;
/** How often an idle connection is tried, milliseconds: a proxy whose machine vanished must not be kept for hours. */
const PING_INTERVAL_MS = 20_000;
/** How long the answer may take, milliseconds. */
const PING_TIMEOUT_MS = 10_000;

/** What the server shows and whom it trusts, all PEM. */
export interface ServerIdentity {
  readonly keyPem: string;
  readonly certificatePem: string;
  readonly bundlePem: string;
}

export interface ServerOptions {
  readonly host: string;
  readonly port: number;
  readonly identity: ServerIdentity;
  readonly routes: (router: ConnectRouter) => void;
  readonly now: () => number;
}

export class ControlServer {
  readonly #server: Http2SecureServer;
  readonly #connections = new Set<ServerHttp2Session>();
  /** Of connections of any kind, so that none outlives the server. */
  readonly #sockets = new Set<TLSSocket>();
  #onEmpty: (() => void) | null = null;
  #roots: readonly X509Certificate[];

  private constructor(options: ServerOptions) {
    this.#roots = readRoots(options.identity.bundlePem);
    const adapter = connectNodeAdapter({
      routes: options.routes,
      grpcWeb: false,
      readMaxBytes: MAX_MESSAGE_BYTES,
      contextValues: (request) => {
        const socket = "stream" in request ? request.stream.session?.socket : request.socket;
        return createContextValues().set(PEER, this.#peer(socket as TLSSocket | undefined, options.now())); // the server speaks TLS only
      },
    });
    this.#server = createSecureServer({
      ...context(options.identity),
      allowHTTP1: true,
      minVersion: "TLSv1.3",
      requestCert: true,
      rejectUnauthorized: false, // a proxy that asks for its first certificate has none; handlers check by verifyPeer
      settings: { maxConcurrentStreams: MAX_STREAMS_PER_CONNECTION },
    }, adapter);
    this.#server.on("secureConnection", (socket: TLSSocket) => {
      this.#sockets.add(socket);
      socket.once("close", () => {
        this.#sockets.delete(socket);
        if (this.#sockets.size === 0) this.#onEmpty?.();
      });
    });
    this.#server.on("session", (session) => this.#watch(session));
    // Peers that are no TLS clients, or do not trust us, are their own trouble; without listeners they would be ours.
    this.#server.on("tlsClientError", () => {});
    this.#server.on("sessionError", () => {});
  }

  /** Starts listening. @throws Error of the socket, with its code (EADDRINUSE, …) */
  static async listen(options: ServerOptions): Promise<ControlServer> {
    const server = new ControlServer(options);
    await startListening(server.#server, options.port, options.host);
    return server;
  }

  /** Where it listens. */
  get port(): number {
    return listeningPort(this.#server);
  }

  /** New connections see the new certificate and roots; open ones go on. */
  setIdentity(identity: ServerIdentity): void {
    this.#server.setSecureContext(context(identity));
    this.#roots = readRoots(identity.bundlePem);
  }

  /** Stops accepting, lets calls end for `graceMs`, then closes what is left. */
  async close(graceMs: number): Promise<void> {
    this.#server.close();
    const emptied = new Promise<void>((resolve) => this.#onEmpty = resolve);
    for (const session of this.#connections) session.close();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => timer = setTimeout(resolve, graceMs));
    if (this.#sockets.size > 0) await Promise.race([emptied, late]);
    clearTimeout(timer);
    for (const socket of this.#sockets) socket.destroy();
  }

  #peer(socket: TLSSocket | undefined, nowMs: number): Peer {
    return verifyPeer(chainOf(socket), this.#roots, nowMs);
  }

  /** Keeps count of a connection, and pings it so that a vanished peer is noticed. */
  #watch(session: ServerHttp2Session): void {
    this.#connections.add(session);
    session.on("error", () => {}); // the close that follows is all that matters
    const interval = setInterval(() => {
      const timeout = setTimeout(() => session.destroy(), PING_TIMEOUT_MS);
      try {
        session.ping(() => clearTimeout(timeout));
      } catch {
        clearTimeout(timeout); // it is closing already
      }
    }, PING_INTERVAL_MS);
    session.on("close", () => {
      clearInterval(interval);
      this.#connections.delete(session);
    });
  }
}

function context({ keyPem, certificatePem, bundlePem }: ServerIdentity) {
  return { key: keyPem, cert: certificatePem, ca: certificatesOf(bundlePem) };
}

function readRoots(pem: string): X509Certificate[] {
  return certificatesOf(pem).map((certificate) => new X509Certificate(certificate));
}

/** What the peer sent, the leaf first, each signed by the next; DER. */
function chainOf(socket: TLSSocket | undefined): Uint8Array[] {
  const chain: Uint8Array[] = [];
  let at: DetailedPeerCertificate | undefined = socket?.getPeerCertificate?.(true);
  while (at?.raw !== undefined && chain.length < MAX_CHAIN) {
    chain.push(at.raw);
    if (at.issuerCertificate === at) break; // a root
    at = at.issuerCertificate;
  }
  return chain;
}
