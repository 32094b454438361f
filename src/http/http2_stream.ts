/**
 * A stream of an HTTP/2 connection (RFC 9113 §5.1), as one leg of an exchange.
 *
 *   idle ─HEADERS→ open ─END_STREAM sent→ half-closed (local)  ─END_STREAM received→ closed
 *                       ─END_STREAM received→ half-closed (remote) ─END_STREAM sent→ closed
 *                       ─RST_STREAM either way→ closed
 *
 * `recvEnd` and `sendEnd` are the two END_STREAMs; `closed` is set when both are, or at a reset.
 */
import type { HeaderBlock } from "../wire/header_block.ts";
import type { Http2Connection } from "./http2_connection.ts";
import type { Leg, LegListener } from "./leg.ts";
import { BLAME, type Holder, type Holding } from "./waiting_budget.ts";
import { WaitingBytes } from "./waiting_bytes.ts";

export class Http2Stream implements Leg, Holder {
  readonly id: number;
  readonly connection: Http2Connection;
  readonly reason = "";
  listener: LegListener | null = null;
  /** END_STREAM received. */
  recvEnd = false;
  /** END_STREAM sent. */
  sendEnd = false;
  /** No frame of this stream is sent or expected any more. */
  closed = false;
  /** The final head of the peer has arrived; the next section is trailers. */
  headReceived = false;
  /** Bytes we may send; below 0 after a SETTINGS that shrank it (RFC 9113 §6.9.2). */
  sendWindow: number;
  /** Bytes the peer may send; below 0 after SETTINGS of ours that shrank it. */
  recvWindow: number;
  /** Bytes that may wait here: what is forwarded is credited up to it. */
  window: number;
  /** The part of it that SETTINGS gave. */
  firstWindow: number;
  /** Bytes forwarded, for which no WINDOW_UPDATE has been sent yet. */
  credit = 0;
  /** Body bytes the peer still has to send by its content-length; -1: not declared. */
  bodyLeft = -1;
  /** Client role: method of the request, for what its response may hold. */
  method = "";
  /** Client role: where the request begins among the bytes of the connection. */
  #beginsAt = Infinity;
  /** In the connection's list of streams that wait for a window or room. */
  waiting = false;
  /** What waits; null as long as nothing ever had to. */
  #queue: WaitingBytes | null = null;
  /** Set while something waits. */
  #holding: Holding | null = null;
  #waits = false;
  #finQueued = false;
  #trailersQueued: HeaderBlock | null = null;

  constructor(connection: Http2Connection, id: number, sendWindow: number, recvWindow: number) {
    this.connection = connection;
    this.id = id;
    this.sendWindow = sendWindow;
    this.recvWindow = this.window = this.firstWindow = recvWindow;
  }

  /** The final response has no body that its content-length could speak of (RFC 9110 §6.4.1, §9.3.6). */
  isBodyless(status: number): boolean {
    return this.method === "HEAD" || status === 204 || status === 304 || (this.method === "CONNECT" && status < 300);
  }

  /** Client role: no byte of the request has been sent. */
  get isUnsent(): boolean {
    return this.#beginsAt >= this.connection.outbox.offered;
  }

  /** Bytes queued because a window or the socket is full. */
  get queued(): number {
    return this.#queue === null ? 0 : this.#queue.length;
  }

  sendHead(head: HeaderBlock, end: boolean, _reason: string): void {
    if (this.closed || this.sendEnd) return;
    if (head.method !== "") {
      this.method = head.method;
      const { outbox } = this.connection;
      this.#beginsAt = outbox.written + outbox.pending;
    }
    this.connection.writeHeaders(this.id, head, end);
    if (end) this.#sent();
  }

  sendInterim(head: HeaderBlock): void {
    if (this.closed || this.sendEnd) return;
    this.connection.writeHeaders(this.id, head, false);
  }

  sendData(buffer: Uint8Array, start: number, end: number, fin: boolean): void {
    if (this.closed || this.sendEnd) return;
    let from = start;
    if (!this.#waits) {
      from += this.connection.writeData(this, buffer, start, end, fin);
      if (from === end) {
        if (from > start) this.listener?.onConsumed(this, from - start);
        if (fin) {
          if (start < end || this.connection.writeEnd(this.id)) this.#sent();
        }
        return;
      }
    }
    this.#enqueue(buffer, from, end, fin);
    if (from > start) this.listener?.onConsumed(this, from - start);
  }

  sendTrailers(trailers: HeaderBlock): void {
    if (this.closed || this.sendEnd) return;
    if (this.#waits) {
      this.#trailersQueued = trailers;
      return;
    }
    this.connection.writeHeaders(this.id, trailers, true);
    this.#sent();
  }

  abort(h2Code: number): void {
    if (this.closed) return;
    this.listener = null;
    this.connection.resetStream(this, h2Code);
  }

  consumed(bytes: number): void {
    if (this.closed || this.recvEnd) return;
    this.credit += bytes;
    this.connection.windows.credit(this);
  }

  /** Sends what waits as far as windows and room allow. Called by the connection. Returns true when nothing is left. */
  pump(): boolean {
    if (!this.#waits || this.closed) return true;
    const sent = this.#pumpQueue();
    if (sent > 0) this.#holding?.moved(sent);
    this.#count();
    const done = this.queued === 0;
    if (done) this.#pumped(sent);
    else if (this.sendWindow > 0) this.connection.wait(this);
    if (sent > 0) this.listener?.onConsumed(this, sent);
    return done;
  }

  /** Marks the stream closed and drops what waits. Called by the connection when it forgets the stream. */
  forget(): void {
    this.closed = true;
    this.#waits = false;
    this.#queue?.clear();
    this.#trailersQueued = null;
    this.#count();
  }

  onHeldTooLong(): void {
    this.connection.endStuck(this);
  }

  /** Says what waits, by the memory it takes, and whether that is up to the receiver of this stream alone. */
  #count(): void {
    const bytes = this.#queue === null ? 0 : this.#queue.memory;
    if (bytes > 0) {
      const { connection } = this;
      this.#holding ??= connection.share.hold(this, connection);
      this.#holding.set(bytes, this.sendWindow <= 0 ? BLAME.own : BLAME.unclear);
    } else if (this.#holding !== null) {
      this.#holding.release();
      this.#holding = null;
    }
  }

  #pumpQueue(): number {
    const queue = this.#queue;
    if (queue === null) return 0;
    let sent = 0;
    for (let piece = queue.first; piece !== null; piece = queue.first) {
      const bytes = piece.end - piece.start;
      const fin = this.#finQueued && piece.next === null;
      const taken = this.connection.writeData(this, piece.buffer, piece.start, piece.end, fin);
      sent += taken;
      queue.take(taken);
      if (taken < bytes) break;
    }
    return sent;
  }

  /** Everything that waited is sent: END_STREAM or trailers, when they are due, and did not go with the last bytes. */
  #pumped(sent: number): void {
    this.#waits = false;
    const trailers = this.#trailersQueued;
    if (this.#finQueued) {
      if (sent > 0 || this.connection.writeEnd(this.id)) this.#sent();
    } else if (trailers !== null) {
      this.#trailersQueued = null;
      this.connection.writeHeaders(this.id, trailers, true);
      this.#sent();
    }
  }

  #enqueue(buffer: Uint8Array, start: number, end: number, fin: boolean): void {
    const bytes = end - start;
    if (!this.#waits) {
      this.#waits = true;
      this.connection.wait(this);
    }
    if (bytes > 0) {
      (this.#queue ??= new WaitingBytes()).append(buffer, start, end);
      this.#count();
    }
    if (fin) this.#finQueued = true;
  }

  #sent(): void {
    this.sendEnd = true;
    if (this.recvEnd) this.connection.finishStream(this);
  }
}
