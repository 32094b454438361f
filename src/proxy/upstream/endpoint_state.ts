/** What a proxy knows about one endpoint, and its connections to it. Outlives snapshots: what was learnt is kept. */
import type { ConnectionCounters } from "../../net/connection_stats.ts";
import type { RawSocket } from "../../net/socket.ts";
import { PeerShare } from "../../http/waiting_budget.ts";
import { TcpLeg } from "../../http/tcp_leg.ts";
import type { Backend, Endpoint } from "../../model/outbound.ts";
import type { ShapedCandidate } from "./shaped_pick.ts";
import type { ConcurrencyLimit } from "./concurrency_limit.ts";
import { EndpointBreaker } from "./breaker.ts";
import type { Failure, FailureCode } from "./failure.ts";
import { Http1Pool } from "./http1_pool.ts";
import { Http2Pool } from "./http2_pool.ts";
import { type MeshCredentials, MeshDial } from "./mesh_dial.ts";
import { PeakEwma } from "./peak_ewma.ts";
import { PlainDial } from "./plain_dial.ts";
import { Reachability } from "./reachability.ts";
import type { Waiter } from "./waiter.ts";

/** Streams of requests on a connection before another one is opened: what the peer's sidecar allows is far above. */
const REQUEST_SPREAD = 4096;
/** Opaque connections on a mesh connection: bulk data should not share one congestion window in large numbers. */
const TUNNEL_SPREAD = 64;
/** Streams per plaintext HTTP/2 connection to an application before another one is preferred. */
const PLAIN_SPREAD = 100;

/** Failures that the next request would meet as well. */
const UNREACHED: ReadonlySet<FailureCode> = new Set(
  ["connect_failed", "connect_timeout", "tls_failed", "identity_mismatch", "unreachable", "overloaded"] as const,
);

export class EndpointState implements ShapedCandidate {
  readonly endpoint: Endpoint;
  /** Key of the backend that it belongs to. */
  readonly backendKey: string;
  readonly weight: number;
  /** The endpoint is reached through its sidecar. */
  readonly meshed: boolean;
  readonly ewma: PeakEwma;
  readonly breaker: EndpointBreaker;
  readonly reachability = new Reachability();
  /** Requests in flight, and open tunnels. */
  pending = 0;
  /** Bounds the requests under way; null: nothing does. */
  limiter: ConcurrencyLimit | null = null;
  /** Since when it is new, or back, where such endpoints start slowly; -1: it is not. */
  warmingSinceMs = -1;
  /** Requests that wait for the head of their response. */
  unanswered = 0;
  /** When the endpoint last answered, or was asked after having answered all; monotonic milliseconds. */
  silentSinceMs = 0;
  /** No snapshot has it any more. */
  hasLeft = false;
  /** Memo: metric series of requests that a rule sends here, valid while `seriesKey` is that rule. */
  seriesKey: object | null = null;
  series: unknown = null;
  /** What waits for the endpoint. */
  readonly share: PeerShare;
  /** Until when the application counts as one that does not speak HTTP/2; 0: nothing is known. */
  http1UntilMs = 0;
  readonly #counters: ConnectionCounters | null;
  readonly #target: string;
  readonly #credentials: MeshCredentials;
  #requests: Http2Pool | null = null;
  #tunnels: Http2Pool | null = null;
  #http1: Http1Pool | null = null;

  /**
   * @param meshed whether to go through the endpoint's sidecar (false also for this very workload)
   * @param target logical name, sent in the transport header
   * @param counters counts the connections that are opened to it, null for nobody
   */
  constructor(
    endpoint: Endpoint,
    backend: Backend,
    meshed: boolean,
    target: string,
    credentials: MeshCredentials,
    nowMs: number,
    counters: ConnectionCounters | null = null,
  ) {
    this.#counters = counters;
    this.endpoint = endpoint;
    this.backendKey = backend.key;
    this.share = new PeerShare("outbound", endpoint.key);
    this.weight = endpoint.weight;
    this.meshed = meshed;
    this.ewma = new PeakEwma(backend.defaultRttMs, backend.decayMs, nowMs);
    this.breaker = new EndpointBreaker(backend.breaker);
    this.#target = target;
    this.#credentials = credentials;
  }

  /**
   * An endpoint of which nothing is known is tried at once, by one request at a time: it is new, or was so slow that it was
   * not asked for long (its peak alone would keep requests away for most of a minute after it is well again). So is one
   * whose penalty is over: how slowly it failed says nothing about whether it is well, and one request is all it gets.
   */
  load(nowMs: number): number {
    if (this.breaker.isOpen && this.breaker.admits(nowMs)) return 0;
    if (this.pending === 0 && !this.ewma.isKnown(nowMs)) return 0;
    const latencyMs = this.ewma.value(nowMs);
    // One that has stopped answering is no faster than it has been silent: nothing else would tell, as nothing is measured.
    const silentMs = this.unanswered > 0 ? nowMs - this.silentSinceMs : 0;
    return (Math.max(latencyMs, silentMs) * (this.pending + 1)) / this.weight;
  }

  admits(nowMs: number): boolean {
    return this.breaker.admits(nowMs) && this.reachability.admits(nowMs);
  }

  get zone(): string {
    return this.endpoint.zone;
  }

  /** As many requests are under way as may be. */
  get isFull(): boolean {
    return this.limiter !== null && this.pending >= this.limiter.limit;
  }

  /** Open connections, all kinds. */
  get connections(): number {
    return (this.#requests?.size ?? 0) + (this.#tunnels?.size ?? 0) + (this.#http1?.size ?? 0);
  }

  /**
   * Gives the waiter a leg for one request.
   *
   * @param http2 protocol of the application; does not matter for a meshed endpoint, to which everything is HTTP/2
   * @param fresh not on a connection that may have been closed by the peer meanwhile (a second try)
   */
  acquireRequest(waiter: Waiter, http2: boolean, fresh: boolean): void {
    if (this.meshed || http2) {
      this.#requests ??= this.#http2Pool(this.meshed ? REQUEST_SPREAD : PLAIN_SPREAD);
      return this.#requests.acquire(waiter);
    }
    this.#http1 ??= new Http1Pool(
      (pool) => new PlainDial(this.endpoint.ip, this.endpoint.port, pool, this.#counters).start(),
      this.share,
    );
    this.#http1.acquire(waiter, fresh);
  }

  /** Gives the waiter a leg for extended CONNECT, or says why the application cannot be asked so. */
  acquireExtendedConnect(waiter: Waiter): void {
    this.#requests ??= this.#http2Pool(this.meshed ? REQUEST_SPREAD : PLAIN_SPREAD);
    if (this.meshed) this.#requests.acquire(waiter); // sidecars take it
    else this.#requests.acquireExtended(waiter);
  }

  /** A request is being sent. */
  entered(nowMs: number): void {
    this.pending++;
    if (this.unanswered++ === 0) this.silentSinceMs = nowMs;
  }

  /** A request is over, or goes elsewhere. */
  left(wasAnswered: boolean): void {
    this.pending--;
    if (!wasAnswered) this.unanswered--;
  }

  /** The head of a response has arrived. */
  answered(nowMs: number): void {
    this.unanswered--;
    this.silentSinceMs = nowMs;
  }

  /** A connection to it failed, or its sidecar could not reach its application. @param random in [0, 1) */
  onUnreached(error: Failure, nowMs: number, random: number): void {
    if (UNREACHED.has(error.code)) this.reachability.onUnreached(error, nowMs, random);
  }

  /** It has answered again after it could not be reached: most likely it was restarted, and is as cold as a new one. */
  onBack(rttMs: number, nowMs: number): void {
    this.reachability.onReached();
    this.ewma.restart(rttMs, nowMs);
    this.warmingSinceMs = nowMs;
  }

  /** Takes a waiter that has no leg yet out of the queue: it will not get one. */
  withdraw(waiter: Waiter): void {
    this.#requests?.withdraw(waiter);
    this.#http1?.withdraw(waiter);
  }

  /** Gives the waiter a leg for one opaque connection. */
  acquireTunnel(waiter: Waiter): void {
    if (this.meshed) {
      this.#tunnels ??= this.#http2Pool(TUNNEL_SPREAD);
      return this.#tunnels.acquire(waiter);
    }
    new PlainDial(this.endpoint.ip, this.endpoint.port, new TunnelDial(waiter, this.share), this.#counters).start();
  }

  /** The endpoint has left: nothing new is sent, what runs finishes. */
  shutdown(): void {
    this.hasLeft = true;
    this.#requests?.shutdown();
    this.#tunnels?.shutdown();
    this.#http1?.shutdown();
  }

  #http2Pool(spread: number): Http2Pool {
    const { endpoint } = this;
    const dial = (pool: Http2Pool) => {
      if (this.meshed) new MeshDial(endpoint, this.#target, this.#credentials, pool, this.#counters).start();
      else new PlainDial(endpoint.ip, endpoint.port, pool, this.#counters).start();
    };
    return new Http2Pool(this.meshed, spread, dial, this.share, () => this.#credentials.onCut());
  }
}

/** A plain connection for one waiter. */
class TunnelDial {
  readonly #waiter: Waiter;
  readonly #share: PeerShare;

  constructor(waiter: Waiter, share: PeerShare) {
    this.#waiter = waiter;
    this.#share = share;
  }

  onConnected(socket: RawSocket, _early: Uint8Array | null): void {
    if (this.#waiter.cancelled) return void socket.terminate();
    this.#waiter.onUpstream(new TcpLeg(socket, null, this.#waiter, null, this.#share));
  }

  onDialFailed(failure: Failure): void {
    if (!this.#waiter.cancelled) this.#waiter.onUpstreamFailed(failure);
  }
}
