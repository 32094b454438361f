/**
 * The outbound listener: connections of the pod's own processes.
 *
 *   accept → original destination → loop guard → target (known, or asked for once) → detect
 *     ├ HTTP/1.1, HTTP/2 → OutboundHttp, request by request
 *     └ anything else    → a tunnel to one endpoint
 */
import { ExpiringSet } from "../../base/expiring_set.ts";
import { hostPort } from "../../base/ip.ts";
import { resetConnection } from "../../net/reset.ts";
import type { Refusal } from "../../http/refusal.ts";
import { Http1Server } from "../../http/http1_server.ts";
import { Http2Connection } from "../../http/http2_connection.ts";
import type { Http2Stream } from "../../http/http2_stream.ts";
import { PeerShare } from "../../http/waiting_budget.ts";
import { TcpLeg } from "../../http/tcp_leg.ts";
import { ConnectionStats } from "../../net/connection_stats.ts";
import { originalDestination, type SocketAddress } from "../../net/orig_dst.ts";
import type { RawSocket, SocketOwner } from "../../net/socket.ts";
import { HeadCache } from "../../wire/http1/head_cache.ts";
import type { RequestHead } from "../../wire/http1/request_head.ts";
import { CONNECT_ERROR, PROTOCOL_ERROR } from "../../wire/http2/error_code.ts";
import { Downstream, type DownstreamOwner } from "../exchange/downstream.ts";
import { Exchange } from "../exchange/exchange.ts";
import { underWay } from "../exchange/revoke.ts";
import { dependsOnHost } from "../policy/egress.ts";
import type { OutboundDeps } from "./outbound_deps.ts";
import type { HttpContext } from "../exchange/http_context.ts";
import type { Drainable } from "../exchange/live.ts";
import type { ConnectionCounters } from "../../net/connection_stats.ts";
import { pickFor } from "./hash_key.ts";
import { isFailure, streamBackend } from "./stream_backend.ts";
import type { TargetEntry } from "./outbound_targets.ts";
import { StreamEgress } from "./stream_egress.ts";
import { looksAtNames, NameReader, type NameReaderOwner } from "../connection/name_reader.ts";
import { makeRoom } from "../connection/admission.ts";
import { isNearlyFull, mayHaveConnection } from "../connection/peers.ts";
import { MAX_OUTBOUND_REQUESTS, RequestBudget, RequestShare } from "../exchange/request_share.ts";
import { refuseConnection } from "../connection/refused_connection.ts";
import { REFUSED_SILENCE_MS, Sniffer, type SnifferOwner } from "../connection/sniffer.ts";
import { Tunnel, type TunnelOwner } from "../connection/tunnel.ts";
import { type Failure, isByPolicy, unsent } from "../upstream/failure.ts";

/** How long a connection to an unknown target waits for discovery, before it is refused. */
export const DISCOVERY_TIMEOUT_MS = 3000;
/** Tries of one opaque connection at different endpoints. */
const MAX_TUNNEL_ATTEMPTS = 3;
/** How long it is remembered that the server speaks first at a target. */
const SERVER_FIRST_MEMORY_MS = 600_000;
/** … and that policy takes no bytes there. Short: once it does, clients that wait for their server must not. */
const REFUSES_BYTES_MEMORY_MS = 10_000;
/** Targets of which that is remembered, of each kind. A workload has tens; with more, some wait for the sniffer once more. */
const MAX_REMEMBERED_TARGETS = 1024;

export class Outbound {
  readonly deps: OutboundDeps;
  readonly heads = new HeadCache<RequestHead>();
  /** What waits for the workload's own programs. */
  readonly share = new PeerShare("outbound", "workload");
  readonly requests = new RequestBudget(MAX_OUTBOUND_REQUESTS);
  /** Connections of the workload's own programs. */
  connections = 0;
  /** Targets whose server spoke first. */
  readonly serverFirst = new ExpiringSet(SERVER_FIRST_MEMORY_MS, MAX_REMEMBERED_TARGETS);
  /** Targets that take requests and no bytes. */
  readonly refusesBytes = new ExpiringSet(REFUSES_BYTES_MEMORY_MS, MAX_REMEMBERED_TARGETS);

  constructor(deps: OutboundDeps) {
    this.deps = deps;
  }

  /** Why a connection accepted as this descriptor is not taken, although idle ones were closed for it; null when it is. */
  refusal(fd: number): Failure | null {
    const { live, observer } = this.deps;
    const isTight = () => live.refusal(fd) !== null || isNearlyFull(this.connections, live.sockets, live.mostSockets);
    makeRoom(this.share.idle, isTight, observer, "workload");
    const lack = live.refusal(fd);
    // Programs of the workload together leave some of the connections for others.
    if (lack !== null || mayHaveConnection(this.connections, live.sockets, live.mostSockets)) return lack;
    const detail = `too many connections of this workload's own programs: ${this.connections}`;
    observer.onRefused("connection_share", detail, "workload");
    return unsent("overloaded", detail);
  }

  /**
   * Takes an accepted socket.
   *
   * @param fixed destination of an explicit listener, null to ask the kernel
   */
  accept(socket: RawSocket, fixed: SocketAddress | null): SocketOwner {
    return new OutboundConnection(this, socket, fixed);
  }
}

class OutboundConnection
  implements Drainable, SocketOwner, SnifferOwner, NameReaderOwner, DownstreamOwner, TunnelOwner {
  before: Drainable | null = null;
  after: Drainable | null = null;
  stats: ConnectionStats | null = null;
  readonly #outbound: Outbound;
  readonly #socket: RawSocket;
  readonly #fixed: SocketAddress | null;
  #entry: TargetEntry | null = null;
  #counters: ConnectionCounters | null = null;
  #sniffer: Sniffer | null = null;
  /** What TLS asks for, where routes look at it. */
  #name = "";
  /** Made when policy looks at a connection that is not HTTP. */
  #egress: StreamEgress | null = null;
  /** Connected ahead and refused; the connection goes on without it. */
  #withdrawn: Tunnel | null = null;
  #closed = false;
  #isCounted = false;
  #shutdown: ((patient: boolean) => void) | null = null;

  constructor(outbound: Outbound, socket: RawSocket, fixed: SocketAddress | null) {
    this.#outbound = outbound;
    this.#socket = socket;
    this.#fixed = fixed;
  }

  /** Drain: lets what runs finish. Connections that are not HTTP end when their application ends them. */
  shutdown(patient: boolean): void {
    this.#shutdown?.(patient);
  }

  /** Ends what may not leave the mesh any more. */
  rejudge(): void {
    for (const item of underWay(this.#socket.data)) {
      if (item instanceof Exchange) this.#outbound.deps.pipeline.rejudge(item);
      else if (item instanceof Tunnel) this.#rejudgeTunnel(item);
    }
  }

  // --- accept

  onOpen(socket: RawSocket): void {
    const { deps } = this.#outbound;
    const isIPv6 = socket.remoteAddress.includes(":") && !socket.remoteAddress.startsWith("::ffff:");
    const address = this.#fixed ?? originalDestination(socket.fd, isIPv6);
    const refusal = this.#outbound.refusal(socket.fd);
    if (refusal !== null) {
      deps.observer.onTcpError(refusal.code);
      const protocol = address === null
        ? "opaque"
        : deps.targets.get(hostPort(address.ip, address.port))?.current.target.protocol;
      return refuseConnection(socket, refusal, protocol !== "opaque");
    }
    deps.live.add(this);
    this.#outbound.connections++;
    this.#isCounted = true;
    if (address !== null && deps.selfTest.takes(address)) {
      this.#gone("");
      return void socket.end();
    }
    if (address === null || deps.isLoop(address)) {
      deps.observer.onTcpError("bad_request");
      return this.#refuse();
    }
    const key = hostPort(address.ip, address.port);
    const entry = deps.targets.get(key);
    if (entry !== null) return this.#known(entry);
    socket.pause();
    deps.discover(key, DISCOVERY_TIMEOUT_MS).then((found) => {
      if (this.#closed) return;
      socket.resume();
      if (typeof found !== "string") return this.#known(found);
      deps.observer.onTcpError("no_discovery");
      this.#refuse();
    });
  }

  #known(entry: TargetEntry): void {
    const { deps, serverFirst } = this.#outbound;
    this.#entry = entry;
    entry.users++;
    entry.lastUsedMs = deps.clock();
    this.#counters = deps.observer.clients(entry);
    this.#counters.onOpen();
    this.stats = new ConnectionStats(this.#socket, this.#counters);
    const { protocol } = entry.current.target;
    if (protocol === "opaque") return this.opaque(this.#socket, null, NOTHING, false);
    const isServerFirst = protocol === "detect" && serverFirst.has(entry.key, deps.clock());
    this.#sniffer = new Sniffer(this.#socket, this, protocol, isServerFirst, this.#outbound.share.idle);
  }

  #refuse(): void {
    resetConnection(this.#socket);
  }

  // --- what it turned out to be

  http(socket: RawSocket, isHttp2: boolean, early: Uint8Array): void {
    const { deps, heads, share, requests } = this.#outbound;
    deps.observer.onDetected(isHttp2 ? "http/2" : "http/1");
    this.#sniffer = null;
    const client = `${socket.remoteAddress}`;
    const downstream = new Downstream(
      deps.pipeline,
      this,
      client,
      null,
      this.#entry,
      deps.clock,
      deps.random,
      new RequestShare(requests),
    );
    const connection = isHttp2
      ? new Http2Connection(socket, true, false, downstream, share)
      : new Http1Server(socket, downstream, heads, share);
    downstream.connection = connection;
    this.#shutdown = (patient) => connection.shutdown(patient);
    connection.onData(early as Buffer); // read as plain bytes
    if (deps.live.isDraining) connection.shutdown(true);
  }

  opaque(socket: RawSocket, tunnel: Tunnel | null, early: Uint8Array, serverFirst: boolean): void {
    const { deps } = this.#outbound;
    if (this.#sniffer !== null) deps.observer.onDetected(serverFirst ? "server_first" : "not_http");
    this.#sniffer = null;
    const { target } = (this.#entry as TargetEntry).current; // known before anything is detected
    const { egress } = target;
    const asksName = egress !== null && dependsOnHost(egress) && early.length > 0; // who is silent has no name
    if (tunnel === null && (looksAtNames(target) || asksName)) {
      return void new NameReader(socket, this, early);
    }
    this.#open(socket, tunnel, early);
  }

  named(socket: RawSocket, early: Uint8Array, name: string): void {
    this.#name = name;
    this.#open(socket, null, early);
  }

  unnamed(): void {
    this.#gone("");
  }

  #open(socket: RawSocket, tunnel: Tunnel | null, early: Uint8Array): void {
    const running = tunnel ?? this.#tunnel();
    const leg = new TcpLeg(socket, null, running, null, this.#outbound.share);
    running.attach(leg);
    const entry = this.#entry as TargetEntry; // as above
    const { egress } = entry.current.target;
    const refusal = egress === null ? null : this.#streamEgress(entry).refusal(egress);
    if (refusal !== null) return running.fail(refusal);
    if (early.length > 0) running.onData(leg, early, 0, early.length, false);
    if (tunnel === null) this.#connect(running);
  }

  /** Only once the name is known, if there is any. */
  #streamEgress(entry: TargetEntry): StreamEgress {
    const { gate, observer } = this.#outbound.deps;
    return this.#egress ??= new StreamEgress(gate, observer, entry, this.#name);
  }

  #rejudgeTunnel(tunnel: Tunnel): void {
    const entry = this.#entry as TargetEntry; // known before there is a tunnel
    const { egress } = entry.current.target;
    const revocation = egress === null ? null : this.#streamEgress(entry).revocation(egress);
    if (revocation !== null) tunnel.end(revocation);
  }

  ahead(sniffer: Sniffer): Tunnel | null {
    const { refusesBytes, deps } = this.#outbound;
    const entry = this.#entry as TargetEntry; // known before anything is detected
    const { target } = entry.current;
    // Declared HTTP: the client speaks first by definition.
    if (target.protocol !== "detect" || looksAtNames(target)) return null;
    if (refusesBytes.has(entry.key, deps.clock())) return null;
    const { egress } = target;
    // A server must not hear of a connection that may not leave; and who waits for its greeting is not left waiting.
    if (egress !== null && (dependsOnHost(egress) || !deps.gate.decide(entry, egress, "", "").permit)) {
      sniffer.refusedAhead(REFUSED_SILENCE_MS);
      return null;
    }
    const tunnel = this.#tunnel();
    this.#connect(tunnel);
    return tunnel;
  }

  closed(_sniffer: Sniffer): void {
    this.#outbound.deps.observer.onDetected("closed");
    this.#gone("");
  }

  // --- tunnel

  #tunnel(): Tunnel {
    const { deps } = this.#outbound;
    const entry = this.#entry as TargetEntry; // known before anything is detected
    return new Tunnel(this, entry.current.connect, deps.clock, deps.random);
  }

  #connect(tunnel: Tunnel): void {
    const { deps } = this.#outbound;
    const { target } = (this.#entry as TargetEntry).current; // as above
    const backend = streamBackend(target, this.#name, deps.random());
    if (isFailure(backend)) return tunnel.fail(backend);
    const endpoint = pickFor(null, backend, tunnel.tried, deps.upstreams);
    if (endpoint === null) return tunnel.fail(unsent("no_endpoints", `${target.authority} has no ready endpoint`));
    tunnel.dispatch(endpoint);
  }

  retry(tunnel: Tunnel, error: Failure): boolean {
    if (!error.unprocessed || isByPolicy(error) || tunnel.attempts >= MAX_TUNNEL_ATTEMPTS) return false;
    this.#connect(tunnel);
    return true;
  }

  onServerFirst(_tunnel: Tunnel): void {
    const { serverFirst, deps } = this.#outbound;
    const entry = this.#entry as TargetEntry; // as above
    serverFirst.add(entry.key, deps.clock());
    this.#sniffer?.serverSpoke();
  }

  opened(_tunnel: Tunnel): void {}

  refused(tunnel: Tunnel, error: Failure): void {
    if (tunnel.down === null && this.#sniffer !== null && isByPolicy(error)) return this.#refusedAhead(tunnel, error);
    this.#outbound.deps.observer.onTcpError(error.code);
    if (tunnel.down !== null) tunnel.down.abort(CONNECT_ERROR);
    else this.#sniffer?.abandon();
  }

  #refusedAhead(tunnel: Tunnel, error: Failure): void {
    const { refusesBytes, deps } = this.#outbound;
    this.#withdrawn = tunnel;
    const needsRequest = error.code === "unclassified";
    if (needsRequest) refusesBytes.add((this.#entry as TargetEntry).key, deps.clock()); // as above
    this.#sniffer?.refusedAhead(needsRequest ? 0 : REFUSED_SILENCE_MS);
  }

  finished(tunnel: Tunnel, error: Failure | null): void {
    if (tunnel === this.#withdrawn) return;
    this.#gone(error === null || error.code === "cancelled" ? "" : error.code);
  }

  // --- HTTP

  badRequest(_context: HttpContext, status: number, _detail: string): void {
    this.#outbound.deps.observer.onBadRequest(status);
  }

  clientRefused(context: HttpContext, reason: Refusal, detail: string): void {
    this.#outbound.deps.observer.onRefused(reason, detail, context.client);
  }

  downstreamClosed(_downstream: Downstream): void {
    this.#gone("");
  }

  takeStream(_downstream: Downstream, stream: Http2Stream, head: { readonly protocol: string }): boolean {
    if (!head.protocol.startsWith("tulle-")) return false;
    stream.abort(PROTOCOL_ERROR); // only sidecars speak so, to each other
    return true;
  }

  // --- before detection

  onHandshake(_socket: RawSocket, _ok: boolean, _error: Error | null): void {}

  onConnectFailed(_error: Error): void {}

  onData(_buffer: Buffer): void {}

  onDrain(): void {}

  onEnd(): void {}

  onClose(error: Error | null): void {
    this.#gone(error === null ? "" : "reset");
  }

  #gone(errno: string): void {
    if (this.#closed || !this.#isCounted) return;
    this.#closed = true;
    this.#counters?.onClose(errno);
    if (this.#entry !== null) this.#entry.users--;
    this.#outbound.deps.live.delete(this);
    this.#outbound.connections--;
  }
}

const NOTHING = new Uint8Array(0);
