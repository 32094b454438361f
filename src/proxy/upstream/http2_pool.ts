/**
 * HTTP/2 connections to one endpoint. One connection carries everything as long as its peer allows more streams: one
 * write then serves many requests. Further ones are opened only when it is full.
 */
import { Timer, type TimerOwner } from "../../base/timer_wheel.ts";
import { Http2Connection } from "../../http/http2_connection.ts";
import type { Http2Owner } from "../../http/http2_owner.ts";
import type { Http2Stream } from "../../http/http2_stream.ts";
import { COMMON_SHARE, type PeerShare } from "../../http/waiting_budget.ts";
import type { Refusal } from "../../http/refusal.ts";
import type { HeaderBlock } from "../../wire/header_block.ts";
import { PROTOCOL_ERROR } from "../../wire/http2/error_code.ts";
import type { RawSocket } from "../../net/socket.ts";
import { ConnectionLife, type LifeSpan } from "../../net/connection_life.ts";
import { arm, disarm } from "../../net/ticker.ts";
import { type Failure, failure, unsent } from "./failure.ts";
import { MAX_QUEUED, type Waiter, WaiterQueue } from "./waiter.ts";

/** Connections to one endpoint: with 100 streams each (the least a server should allow) 1,600 requests in flight. */
const MAX_CONNECTIONS = 16;

/** Begins to connect; the outcome arrives at the pool. */
export type Dialer = (pool: Http2Pool) => void;

/** How long a server may take to say what it can do, before it counts as one that does not speak HTTP/2. */
const SETTINGS_MS = 5_000;

export class Http2Pool implements Http2Owner, TimerOwner {
  readonly #dial: Dialer;
  readonly #mesh: boolean;
  readonly #spread: number;
  readonly #share: PeerShare;
  readonly #connections: Http2Connection[] = [];
  readonly #queue = new WaiterQueue();
  /** Those that want extended CONNECT: they wait for the peer's SETTINGS too. Null until somebody wants it. */
  #extended: WaiterQueue | null = null;
  readonly #settings = new Timer(this, 0);
  /** Streams that the peer allows on a connection, as the latest one said; 0: none has yet. */
  #allowed = 0;
  #dialling = 0;
  #closed = false;
  /** Connections whose certificates will expire, in use until there is another one. */
  readonly #retiring = new Set<Http2Connection>();
  readonly #lives = new Map<Http2Connection, ConnectionLife>();
  readonly #onCut: () => void;

  /**
   * @param mesh the peer is a sidecar
   * @param spread streams on a connection from which a further one is preferred
   * @param share counts what waits for the endpoint
   * @param onCut a connection was cut off because its certificates had expired
   */
  constructor(
    mesh: boolean,
    spread: number,
    dial: Dialer,
    share: PeerShare = COMMON_SHARE,
    onCut: () => void = () => {},
  ) {
    this.#onCut = onCut;
    this.#mesh = mesh;
    this.#spread = spread;
    this.#share = share;
    this.#dial = dial;
  }

  /** Connections that are open. */
  get size(): number {
    return this.#connections.length;
  }

  /** Gives the waiter a stream, at once when a connection has room. */
  acquire(waiter: Waiter): void {
    const connection = this.#leastLoaded();
    if (connection !== null) {
      if (connection.streams.size >= this.#spread) this.#dialMore();
      return this.#give(connection, waiter);
    }
    const refused = this.#queue.push(waiter);
    refused?.onUpstreamFailed(unsent("queue_full", `${MAX_QUEUED} requests wait for a connection already`));
    if (refused === waiter) return;
    this.#dialMore();
  }

  /** Gives the waiter a stream for extended CONNECT, which has to be announced first (RFC 8441 §3). */
  acquireExtended(waiter: Waiter): void {
    this.#extended ??= new WaiterQueue();
    const refused = this.#extended.push(waiter);
    refused?.onUpstreamFailed(unsent("queue_full", `${MAX_QUEUED} requests wait for a connection already`));
    if (refused === waiter) return;
    this.#serveExtended();
    if (this.#extended.length > 0 && this.#settings.tick < 0) arm(this.#settings, SETTINGS_MS);
  }

  onTimer(_kind: number): void {
    this.#failExtended(failure("not_http2", `no SETTINGS came within ${SETTINGS_MS} ms`));
  }

  /** Takes a waiter out of the queue, if it is there. */
  withdraw(waiter: Waiter): void {
    this.#queue.remove(waiter);
    this.#extended?.remove(waiter);
  }

  /** Lets streams finish, then closes. */
  shutdown(): void {
    this.#closed = true;
    for (const connection of [...this.#connections]) connection.shutdown();
  }

  // --- outcome of dialling

  onConnected(socket: RawSocket, early: Uint8Array | null, life: LifeSpan | null = null): void {
    this.#dialling--;
    const connection = new Http2Connection(socket, false, this.#mesh, this, this.#share);
    this.#connections.push(connection);
    if (life !== null) this.#watch(connection, life);
    for (const old of this.#retiring) old.shutdown();
    this.#retiring.clear();
    // What it has no room for it would refuse, before its own SETTINGS arrive.
    if (this.#allowed > 0) connection.peerMaxStreams = this.#allowed;
    if (early !== null) connection.onData(early as Buffer); // read as plain bytes
    if (this.#closed) connection.shutdown();
    this.#serve();
  }

  onDialFailed(error: Failure): void {
    this.#dialling--;
    // Who waits is told, so that it can go elsewhere; but a live connection may still take some.
    if (this.#connections.length > 0) return;
    this.#failExtended(error);
    for (const waiter of this.#queue.takeAll()) waiter.onUpstreamFailed(error);
  }

  // --- events of connections

  onRequest(connection: Http2Connection, stream: Http2Stream, _head: HeaderBlock, _end: boolean): void {
    connection.resetStream(stream, PROTOCOL_ERROR); // servers open no streams
  }

  onDraining(connection: Http2Connection): void {
    this.#remove(connection);
    if (this.#queue.length > 0) this.#dialMore();
  }

  onIdle(_connection: Http2Connection): void {
    this.#serve(); // the last stream may have been the only one that the peer allows
  }

  onReady(connection: Http2Connection): void {
    this.#allowed = connection.peerMaxStreams;
    this.#serve();
  }

  /** Its streams are told, and count as failed by the endpoint. */
  onBadRequest(): void {} // servers' business

  onRefused(_connection: Http2Connection, _reason: Refusal, _detail: string): void {}

  onClosed(connection: Http2Connection, detail: string): void {
    this.#remove(connection);
    this.#retiring.delete(connection);
    this.#lives.get(connection)?.stop();
    this.#lives.delete(connection);
    if (!connection.settingsReceived) this.#failExtended(failure("not_http2", detail));
    else this.#serveExtended();
    if (this.#queue.length === 0) return;
    if (this.#closed) { for (const w of this.#queue.takeAll()) w.onUpstreamFailed(unsent("upstream_reset", detail)); }
    else this.#dialMore();
  }

  #watch(connection: Http2Connection, { retireMs, cutMs }: LifeSpan): void {
    const mortal = {
      retire: () => this.#retire(connection),
      cut: () => {
        this.#onCut();
        connection.dead("its certificates have expired");
      },
    };
    this.#lives.set(connection, new ConnectionLife(mortal, retireMs, cutMs));
  }

  /** Moves over to a new connection; an idle one just ends, and the next request makes another. */
  #retire(connection: Http2Connection): void {
    if (connection.draining) return;
    if (connection.streams.size === 0) return connection.shutdown();
    this.#retiring.add(connection);
    if (this.#dialling > 0) return;
    this.#dialling++;
    this.#dial(this);
  }

  #serve(): void {
    this.#serveExtended();
    while (this.#queue.length > 0) {
      const connection = this.#leastLoaded();
      if (connection === null) {
        this.#dialMore();
        return;
      }
      const waiter = this.#queue.shift();
      if (waiter === null) return;
      this.#give(connection, waiter);
    }
  }

  #serveExtended(): void {
    const queue = this.#extended;
    if (queue === null) return;
    while (queue.length > 0) {
      const connection = this.#leastLoaded();
      if (connection === null) return this.#dialMore();
      if (!connection.settingsReceived) return;
      const waiter = queue.shift();
      if (waiter === null) break;
      if (connection.peerConnectProtocol) this.#give(connection, waiter);
      else waiter.onUpstreamFailed(failure("no_upgrade", "the application does not announce extended CONNECT"));
    }
    disarm(this.#settings);
  }

  #failExtended(error: Failure): void {
    disarm(this.#settings);
    for (const waiter of this.#extended?.takeAll() ?? []) waiter.onUpstreamFailed(error);
  }

  #give(connection: Http2Connection, waiter: Waiter): void {
    const stream = connection.open();
    stream.listener = waiter;
    waiter.onUpstream(stream);
  }

  #leastLoaded(): Http2Connection | null {
    let best: Http2Connection | null = null;
    for (const c of this.#connections) {
      if (c.canOpen && (best === null || c.streams.size < best.streams.size)) best = c;
    }
    return best;
  }

  #dialMore(): void {
    if (this.#dialling > 0 || this.#connections.length >= MAX_CONNECTIONS) return;
    this.#dialling++;
    this.#dial(this);
  }

  #remove(connection: Http2Connection): void {
    const at = this.#connections.indexOf(connection);
    if (at >= 0) this.#connections.splice(at, 1);
  }
}
