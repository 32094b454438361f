/** The port that proxies connect to: TLS 1.3, HTTP/2 (HTTP/1.1 for unary calls by curl), Connect and gRPC. */
import { X509Certificate } from "node:crypto";
import { constants, createSecureServer, type Http2SecureServer, type ServerHttp2Session } from "node:http2";
import type { DetailedPeerCertificate, TLSSocket } from "node:tls";
import { type ConnectRouter, createContextValues } from "@connectrpc/connect";
import type { Logger } from "../../src/base/log.ts";
import { certificatesOf } from "../core/pem.ts";
import { Connections } from "./_connections.ts";
import { HANDSHAKE_TIMEOUT_MS, listeningPort, startListening } from "./_listen.ts";
import { CALLER, CUT, MAX_CHAIN, PEER, type Peer, verifyPeer } from "./peer.ts";
import { rpcHandler } from "./rpc_handler.ts";
import type { CallContext, StreamMethod } from "./stream_call.ts";
import type { WaitingRoom } from "./waiting_room.ts";

/** A proxy uses three streams; the rest is room for tools. */
const MAX_STREAMS_PER_CONNECTION = 100;
/** Longest life of an HTTP/1.1 connection, milliseconds: it carries single calls of a tool, and nothing pings it. */
const HTTP1_LIFE_MS = 60_000;
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
  /** Asked before a call is read. @throws ConnectError with which it is refused */
  readonly admit: (context: CallContext) => void;
  /** Streams that are served without the library where they can be, by path of the method. */
  readonly streams: ReadonlyMap<string, StreamMethod>;
  /** Where calls wait for their turn, by path of the method. */
  readonly rooms: ReadonlyMap<string, WaitingRoom>;
  readonly log: Logger;
  readonly now: () => number;
}

export class ControlServer {
  readonly #server: Http2SecureServer;
  readonly #connections: Connections;
  #roots: readonly X509Certificate[];

  private constructor(options: ServerOptions) {
    this.#roots = readRoots(options.identity.bundlePem);
    const handler = rpcHandler({
      routes: options.routes,
      rooms: options.rooms,
      grpcWeb: false,
      streams: options.streams,
      admit: options.admit,
      onFault: (path, reason) => options.log.warn("a call failed", { path, reason }),
      values: (request) => {
        const socket = "stream" in request ? request.stream.session?.socket : request.socket;
        const peer = this.#peer(socket as TLSSocket | undefined, options.now()); // the server speaks TLS only
        const caller = peer.kind === "verified" ? peer.spiffeId : socket?.remoteAddress ?? "";
        const cut = () => "stream" in request ? request.stream.close(constants.NGHTTP2_CANCEL) : socket?.destroy();
        return createContextValues().set(PEER, peer).set(CALLER, caller).set(CUT, cut);
      },
    });
    this.#server = createSecureServer({
      ...context(options.identity),
      allowHTTP1: true,
      minVersion: "TLSv1.3",
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      requestCert: true,
      rejectUnauthorized: false, // a proxy that asks for its first certificate has none; handlers check by verifyPeer
      settings: { maxConcurrentStreams: MAX_STREAMS_PER_CONNECTION },
    }, handler);
    this.#connections = new Connections(this.#server, pingUntilClosed);
    this.#server.on("secureConnection", limitHttp1);
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
    await this.#connections.end(graceMs);
  }

  #peer(socket: TLSSocket | undefined, nowMs: number): Peer {
    return verifyPeer(chainOf(socket), this.#roots, nowMs, String(socket?.authorizationError ?? ""));
  }
}

/** Ends a connection that speaks HTTP/1.1 after its time. */
function limitHttp1(socket: TLSSocket): void {
  if (socket.alpnProtocol === "h2") return;
  const timer = setTimeout(() => socket.destroy(), HTTP1_LIFE_MS);
  socket.once("close", () => clearTimeout(timer));
}

/** Pings a peer so that one that vanished is noticed. */
function pingUntilClosed(session: ServerHttp2Session): void {
  const interval = setInterval(() => {
    const timeout = setTimeout(() => session.destroy(), PING_TIMEOUT_MS);
    try {
      session.ping(() => clearTimeout(timeout));
    } catch {
      clearTimeout(timeout); // it is closing already
    }
  }, PING_INTERVAL_MS);
  session.on("close", () => clearInterval(interval));
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
