/** A client's connection once its port and its identity are known: HTTP or a tunnel to the application. */
import { resetConnection } from "../../net/reset.ts";
import type { Refusal } from "../../http/refusal.ts";
import { Http1Server } from "../../http/http1_server.ts";
import { Http2Connection } from "../../http/http2_connection.ts";
import type { Http2Stream } from "../../http/http2_stream.ts";
import { TcpLeg } from "../../http/tcp_leg.ts";
import { Timer, type TimerOwner } from "../../base/timer_wheel.ts";
import { arm, disarm } from "../../net/ticker.ts";
import { ConnectionStats } from "../../net/connection_stats.ts";
import type { RawSocket } from "../../net/socket.ts";
import { type HeaderBlock, headerBlock } from "../../wire/header_block.ts";
import { CONNECT_ERROR, NO_ERROR } from "../../wire/http2/error_code.ts";
import { Downstream, type DownstreamOwner } from "../exchange/downstream.ts";
import { TCP_PROTOCOL } from "../exchange/header_edits.ts";
import { Exchange } from "../exchange/exchange.ts";
import type { HttpContext } from "../exchange/http_context.ts";
import type { Inbound } from "./inbound.ts";
import type { InboundClient } from "./inbound_client.ts";
import { ConnectionLife, type LifeSpan } from "../../net/connection_life.ts";
import type { ConnectionCounters } from "../../net/connection_stats.ts";
import type { Verdict } from "../policy/verdict.ts";
import type { Drainable } from "../exchange/live.ts";
import { errorResponse } from "../exchange/respond.ts";
import { underWay } from "../exchange/revoke.ts";
import type { Peer } from "../connection/peers.ts";
import { REFUSED_SILENCE_MS, Sniffer, type SnifferOwner } from "../connection/sniffer.ts";
import { Tunnel, type TunnelOwner } from "../connection/tunnel.ts";
import { type Failure, failure, unsent } from "../upstream/failure.ts";

/** Plain connections ignore the head of a tunnel. */
const NO_HEAD = headerBlock({ method: "", scheme: "", authority: "", path: "", protocol: "", status: 0 }, []);
const ACCEPTED = headerBlock({ method: "", scheme: "", authority: "", path: "", protocol: "", status: 200 }, []);
const NOTHING = new Uint8Array(0);

export class InboundConnection implements Drainable, SnifferOwner, DownstreamOwner, TunnelOwner, TimerOwner {
  before: Drainable | null = null;
  after: Drainable | null = null;
  readonly #inbound: Inbound;
  readonly #socket: RawSocket;
  readonly #client: InboundClient;
  readonly #peer: Peer;
  readonly #counters: ConnectionCounters;
  #sniffer: Sniffer | null = null;
  readonly #silence = new Timer(this, 0);
  #closed = false;
  #life: ConnectionLife | null = null;
  #shutdown: ((patient: boolean) => void) | null = null;

  constructor(inbound: Inbound, socket: RawSocket, client: InboundClient) {
    this.#inbound = inbound;
    this.#socket = socket;
    this.#client = client;
    this.#peer = inbound.peers.enter(client.peer.identity ?? client.peer.ip);
    this.#counters = inbound.deps.observer.clients(client);
    this.#counters.onOpen();
    const owner = socket.data;
    owner.stats = new ConnectionStats(socket, this.#counters);
    inbound.deps.live.add(this);
  }

  /** Drain: lets what runs finish. */
  shutdown(patient: boolean): void {
    this.#shutdown?.(patient);
  }

  rejudge(): void {
    for (const item of underWay(this.#socket.data)) {
      if (item instanceof Exchange) this.#inbound.deps.pipeline.rejudge(item);
      else if (item instanceof Tunnel) this.#rejudgeTunnel(item);
    }
  }

  onTimer(_kind: number): void {
    const refusal = this.#sniffer === null ? null : this.#refusal();
    if (refusal === null) return;
    this.#inbound.deps.observer.onTcpError(refusal.code);
    this.#sniffer?.abandon();
    this.#gone(refusal.code);
  }

  /** A sidecar's connection: HTTP/2 from here on. */
  startMesh(early: Uint8Array): void {
    this.http(this.#socket, true, early);
  }

  /** A sidecar's connection ends with the certificate of its client. */
  limitLife({ expireMs, cutMs }: LifeSpan, onCut: () => void): void {
    if (this.#closed) return;
    const mortal = {
      retire: () => this.shutdown(true),
      cut: () => {
        onCut();
        this.#socket.terminate();
      },
    };
    this.#life = new ConnectionLife(mortal, expireMs, cutMs);
  }

  /** A plain connection: the port's protocol is declared, or found out. */
  startPlain(): void {
    const { protocol } = this.#client.portPolicy().spec;
    if (protocol === "opaque") return this.opaque(this.#socket, null, NOTHING, false);
    this.#sniffer = new Sniffer(this.#socket, this, protocol, false, this.#peer.share.idle);
  }

  // --- what it turned out to be

  http(socket: RawSocket, isHttp2: boolean, early: Uint8Array): void {
    const { deps, heads } = this.#inbound;
    const client = this.#client;
    if (!client.isMesh) deps.observer.onDetected(isHttp2 ? "http/2" : "http/1");
    this.#sniffer = null;
    const downstream = new Downstream(
      deps.pipeline,
      this,
      client.peer.ip,
      client.peer.identity,
      client,
      deps.clock,
      deps.random,
      this.#peer.requests,
    );
    const connection = isHttp2
      ? new Http2Connection(socket, true, client.isMesh, downstream, this.#peer.share)
      : new Http1Server(socket, downstream, heads, this.#peer.share);
    downstream.connection = connection;
    this.#shutdown = (patient) => connection.shutdown(patient);
    if (early.length > 0) connection.onData(early as Buffer); // read as plain bytes
    if (deps.live.isDraining) connection.shutdown(true);
  }

  opaque(socket: RawSocket, tunnel: Tunnel | null, early: Uint8Array, serverFirst: boolean): void {
    const { deps } = this.#inbound;
    if (this.#sniffer !== null) deps.observer.onDetected(serverFirst ? "server_first" : "not_http");
    this.#sniffer = null;
    const refusal = this.#refusal(); // also of one that was connected ahead: policy may have changed since
    if (refusal !== null) {
      deps.observer.onTcpError(refusal.code);
      tunnel?.cancel();
      resetConnection(socket);
      return this.#gone(refusal.code);
    }
    const running = tunnel ?? this.#tunnel();
    const leg = new TcpLeg(socket, null, running, null, this.#peer.share);
    running.attach(leg);
    if (early.length > 0) running.onData(leg, early, 0, early.length, false);
    if (tunnel === null) running.dispatch(this.#client.application);
  }

  ahead(_sniffer: Sniffer): Tunnel | null {
    const { connection } = this.#client.policy();
    // Never ahead where requests decide: the application must not see a connection that policy may refuse.
    if (connection.needsRequest || this.#client.portPolicy().spec.protocol !== "detect") return null;
    if (connection.kind === "deny") {
      // An HTTP client gets its 403; one that waits for the server is not left waiting.
      arm(this.#silence, REFUSED_SILENCE_MS);
      return null;
    }
    const tunnel = this.#tunnel();
    tunnel.dispatch(this.#client.application);
    return tunnel;
  }

  closed(_sniffer: Sniffer): void {
    this.#inbound.deps.observer.onDetected("closed");
    this.#gone("");
  }

  // --- opaque streams between sidecars

  takeStream(_downstream: Downstream, stream: Http2Stream, head: HeaderBlock): boolean {
    if (!this.#client.isMesh || head.protocol !== TCP_PROTOCOL) return false;
    const key = this.#peer.key;
    const refusal = this.#refusal() ??
      (this.#inbound.mayEnter(key) ? null : unsent("overloaded", "too many connections of this client"));
    if (refusal !== null) {
      this.#inbound.deps.observer.onTcpError(refusal.code);
      refuseStream(stream, refusal);
      return true;
    }
    const tunnel = new Tunnel(
      new StreamTunnel(this.#inbound, stream, this.#inbound.peers.enter(key)),
      NO_HEAD,
      this.#inbound.deps.clock,
      this.#inbound.deps.random,
    );
    stream.listener = tunnel;
    tunnel.attach(stream);
    tunnel.dispatch(this.#client.application);
    return true;
  }

  /** Why bytes that are not HTTP may not pass, or null. */
  #refusal(): Failure | null {
    const verdict = this.#opaqueVerdict();
    this.#inbound.deps.observer.onTcpVerdict(this.#client, verdict);
    if (verdict.kind === "permit") return null;
    return unsent(verdict.cause === "unclassified" ? "unclassified" : "forbidden", verdict.told);
  }

  #opaqueVerdict(): Verdict {
    const verdict = this.#client.policy().connection;
    return verdict.kind === "permit" && verdict.needsRequest ? this.#client.portPolicy().unclassified : verdict;
  }

  #rejudgeTunnel(tunnel: Tunnel): void {
    const verdict = this.#opaqueVerdict();
    if (verdict.kind === "permit") return;
    this.#inbound.deps.observer.onTcpRevoked(this.#client, verdict);
    tunnel.end(failure("revoked", verdict.told));
  }

  // --- tunnel of a plain connection

  #tunnel(): Tunnel {
    return new Tunnel(this, NO_HEAD, this.#inbound.deps.clock, this.#inbound.deps.random);
  }

  retry(_tunnel: Tunnel, _error: Failure): boolean {
    return false; // there is one application
  }

  onServerFirst(_tunnel: Tunnel): void {
    this.#sniffer?.serverSpoke();
  }

  opened(_tunnel: Tunnel): void {}

  refused(tunnel: Tunnel, error: Failure): void {
    this.#inbound.deps.observer.onTcpError(error.code);
    if (tunnel.down !== null) tunnel.down.abort(CONNECT_ERROR);
    else this.#sniffer?.abandon();
  }

  finished(_tunnel: Tunnel, error: Failure | null): void {
    this.#gone(error === null || error.code === "cancelled" ? "" : error.code);
  }

  // --- HTTP

  badRequest(_context: HttpContext, status: number, _detail: string): void {
    this.#inbound.deps.observer.onBadRequest(status);
  }

  clientRefused(context: HttpContext, reason: Refusal, detail: string): void {
    this.#inbound.deps.observer.onRefused(reason, detail, context.clientId ?? context.client);
  }

  downstreamClosed(_downstream: Downstream): void {
    this.#gone("");
  }

  #gone(errno: string): void {
    if (this.#closed) return;
    this.#closed = true;
    disarm(this.#silence);
    this.#life?.stop();
    this.#counters.onClose(errno);
    this.#inbound.peers.leave(this.#peer);
    this.#inbound.deps.live.delete(this);
  }
}

/** Answers a stream that is no request; the answer is complete, or its peer would read it as a broken one. */
function refuseStream(stream: Http2Stream, error: Failure): void {
  const { head, body } = errorResponse(error, false, true);
  stream.sendHead(head, false, "");
  stream.sendData(body, 0, body.length, true);
  stream.abort(NO_ERROR);
}

/** An opaque connection that arrives as a stream: its answer is a head. */
class StreamTunnel implements TunnelOwner {
  readonly #inbound: Inbound;
  readonly #stream: Http2Stream;
  readonly #peer: Peer;

  /** @param peer counts the connection from here on */
  constructor(inbound: Inbound, stream: Http2Stream, peer: Peer) {
    this.#inbound = inbound;
    this.#stream = stream;
    this.#peer = peer;
  }

  retry(_tunnel: Tunnel, _error: Failure): boolean {
    return false;
  }

  onServerFirst(_tunnel: Tunnel): void {}

  opened(_tunnel: Tunnel): void {
    this.#stream.sendHead(ACCEPTED, false, "");
  }

  refused(_tunnel: Tunnel, error: Failure): void {
    this.#inbound.deps.observer.onTcpError(error.code);
    refuseStream(this.#stream, error);
  }

  finished(_tunnel: Tunnel, _error: Failure | null): void {
    this.#inbound.peers.leave(this.#peer);
  }
}
