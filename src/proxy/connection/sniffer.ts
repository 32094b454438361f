/**
 * A connection whose protocol is not known yet. It listens to the client, and after a moment connects ahead to the
 * server as well: whoever speaks first decides. So nobody waits for a timeout, also not a client whose server greets
 * first (MySQL, SMTP).
 */
import { resetConnection } from "../../net/reset.ts";
import { Timer, type TimerOwner } from "../../base/timer_wheel.ts";
import { arm, disarm } from "../../net/ticker.ts";
import { IdleConnection, type IdleConnections } from "../../http/idle_connections.ts";
import { PartialBytes } from "../../http/partial_bytes.ts";
import type { ConnectionStats } from "../../net/connection_stats.ts";
import { type RawSocket, type SocketOwner, statsOf } from "../../net/socket.ts";
import { Soon, type SoonOwner } from "../../net/soon.ts";
import { classify } from "../detect/classify.ts";
import type { Protocol } from "../../model/outbound.ts";
import type { Tunnel } from "./tunnel.ts";

/**
 * How long a client may be silent before the server is asked (up to twice this). Clients that speak first send within a
 * round trip of their connect; connecting to the server for each of them would cost a connection that is not used.
 */
export const AHEAD_MS = 2;
const soon = new Soon(AHEAD_MS);
/**
 * How long bytes may look like the beginning of a request line without becoming one. HTTP clients send it in one piece;
 * a client that has sent a word and waits must not wait for us.
 */
export const UNDECIDED_MS = 250;

/** How long a client that policy refuses may take to show that it speaks HTTP, and get the reason. */
export const REFUSED_SILENCE_MS = 1000;

/** What the bytes lead to. */
export interface SnifferOwner {
  /** The client speaks HTTP: takes the socket over, and gets the bytes so far. */
  http(socket: RawSocket, isHttp2: boolean, early: Uint8Array): void;
  /** It does not: takes the socket over for the tunnel, which is running already when the server was asked ahead. */
  opaque(socket: RawSocket, tunnel: Tunnel | null, early: Uint8Array, serverFirst: boolean): void;
  /** Connects ahead; null when that is not allowed here. Server bytes arrive at the tunnel's owner, which calls `serverSpoke`. */
  ahead(sniffer: Sniffer): Tunnel | null;
  /** The connection ended before it was known what it is. */
  closed(sniffer: Sniffer): void;
}

export class Sniffer extends IdleConnection implements SocketOwner, SoonOwner, TimerOwner {
  readonly socket: RawSocket;
  stats: ConnectionStats | null;
  readonly #owner: SnifferOwner;
  readonly #declared: Protocol;
  readonly #idle: IdleConnections;
  readonly #early = new PartialBytes();
  readonly #undecided = new Timer(this, 0);
  #tunnel: Tunnel | null = null;
  #decided = false;
  #ended = false;

  /**
   * @param declared what the port is said to speak; on a port of HTTP what is not HTTP is a malformed request, and is
   *   answered as one
   * @param serverFirst the server is known to speak first here: it is asked at once
   * @param idle the client's connections on which it asks for nothing: this is one of them until it says something
   */
  constructor(
    socket: RawSocket,
    owner: SnifferOwner,
    declared: Protocol,
    serverFirst: boolean,
    idle: IdleConnections,
  ) {
    super();
    this.#idle = idle;
    this.socket = socket;
    this.#owner = owner;
    this.#declared = declared;
    this.stats = statsOf(socket);
    socket.data = this;
    idle.addSilent(this);
    if (serverFirst) queueMicrotask(() => this.onSoon()); // the owner does not hold this object yet
    else soon.add(this);
  }

  /** The server spoke first: opaque. */
  serverSpoke(): void {
    this.#opaque(this.#kept(), true);
  }

  /** The server could not be reached although the client has said nothing yet. */
  abandon(): void {
    if (this.#decided) return;
    this.#decide();
    resetConnection(this.socket);
  }

  /**
   * The server does not take the connection as bytes; it may take requests, or give them the reason. So the client is
   * listened to as if nobody had asked.
   *
   * @param silenceMs longest time until the client must have said something, 0 for no limit
   */
  refusedAhead(silenceMs: number): void {
    this.#tunnel = null;
    if (!this.#decided && silenceMs > 0 && this.#undecided.tick < 0) arm(this.#undecided, silenceMs);
  }

  closeIdle(): boolean {
    this.#decide();
    this.#tunnel?.cancel();
    this.socket.end();
    this.#owner.closed(this);
    return true;
  }

  onDrain(): void {}

  onData(buffer: Buffer): void {
    if (this.#decided) return;
    // Most clients say what they speak in one piece, which needs no copy.
    const early = this.#early.length === 0 ? buffer : this.#keep(buffer);
    const kind = classify(early, early.length);
    if (kind === "more") {
      this.#idle.deleteSilent(this);
      if (early === buffer) this.#early.append(buffer, 0, buffer.length);
      if (this.#undecided.tick < 0) arm(this.#undecided, UNDECIDED_MS);
      return;
    }
    if (kind === "opaque") return this.#opaque(early, false);
    this.#decide();
    this.#tunnel?.cancel();
    this.#owner.http(this.socket, kind === "http2", early);
  }

  onEnd(): void {
    this.#ended = true;
    if (!this.#decided) this.#opaque(this.#kept(), false);
  }

  onClose(_error: Error | null): void {
    if (this.#decided) return;
    this.#decide();
    this.#tunnel?.cancel();
    this.#owner.closed(this);
  }

  onTimer(_kind: number): void {
    this.#opaque(this.#kept(), false);
  }

  onSoon(): void {
    if (!this.#decided) this.#tunnel = this.#owner.ahead(this);
  }

  /** The bytes so far, when they did not come in one piece. */
  #kept(): Uint8Array {
    return this.#early.buffer.subarray(0, this.#early.length);
  }

  #keep(buffer: Uint8Array): Uint8Array {
    this.#early.append(buffer, 0, buffer.length);
    return this.#kept();
  }

  #opaque(early: Uint8Array, serverFirst: boolean): void {
    if (this.#decided) return;
    this.#decide();
    const { socket } = this;
    if (this.#declared === "detect" || this.#declared === "opaque") {
      this.#owner.opaque(socket, this.#tunnel, early, serverFirst);
    } else this.#owner.http(socket, this.#declared !== "http1", early);
    if (this.#ended) socket.data.onEnd();
  }

  #decide(): void {
    this.#decided = true;
    this.#idle.deleteSilent(this);
    disarm(this.#undecided);
  }
}
