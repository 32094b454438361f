/**
 * A stream of an HTTP/2 connection (RFC 9113 §5.1), as one leg of an exchange.
 *
 *   idle ─HEADERS→ open ─END_STREAM sent→ half-closed (local)  ─END_STREAM received→ closed
 *                       ─END_STREAM received→ half-closed (remote) ─END_STREAM sent→ closed
 *                       ─RST_STREAM either way→ closed
 *
 * `recvEnd` and `sendEnd` are the two END_STREAMs; `closed` is set when both are, or at a reset.
 */
import { ByteSink } from "../base/byte_sink.ts";
import type { HeaderBlock } from "../wire/header_block.ts";
import type { Http2Connection } from "./http2_connection.ts";
import type { Leg, LegListener } from "./leg.ts";
import { queuedBytes } from "./queued_bytes.ts";

export class Http2Stream implements Leg {
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
  /** Bytes the peer may send. */
  recvWindow: number;
  /** Bytes forwarded, for which no WINDOW_UPDATE has been sent yet. */
  credit = 0;
  /** Body bytes the peer still has to send by its content-length; -1: not declared. */
  bodyLeft = -1;
  /** A HEAD or CONNECT request, or a response without a body: content-length does not bind DATA. */
  bodyless = false;
  /** In the connection's list of streams that wait for a window or room. */
  waiting = false;
  #queue: ByteSink | null = null;
  #queueStart = 0;
  #finQueued = false;
  #trailersQueued: HeaderBlock | null = null;

  constructor(connection: Http2Connection, id: number, sendWindow: number, recvWindow: number) {
    this.connection = connection;
    this.id = id;
    this.sendWindow = sendWindow;
    this.recvWindow = recvWindow;
  }

  /** Bytes queued because a window or the socket is full. */
  get queued(): number {
    return this.#queue === null ? 0 : this.#queue.length - this.#queueStart;
  }

  sendHead(head: HeaderBlock, end: boolean, _reason: string): void {
    if (this.closed || this.sendEnd) return;
    if (head.method === "HEAD" || head.method === "CONNECT") this.bodyless = true;
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
    if (this.#queue === null) {
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
    if (this.#queue !== null) {
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
    this.connection.creditStream(this);
  }

  /** Sends what waits as far as windows and room allow. Called by the connection. Returns true when nothing is left. */
  pump(): boolean {
    const queue = this.#queue;
    if (queue === null || this.closed) return true;
    const fin = this.#finQueued;
    const sent = this.connection.writeData(this, queue.buffer, this.#queueStart, queue.length, fin);
    this.#queueStart += sent;
    queuedBytes.add(-sent);
    const done = this.#queueStart === queue.length;
    if (done) {
      this.#queue = null;
      const trailers = this.#trailersQueued;
      if (fin) {
        if (sent > 0 || this.connection.writeEnd(this.id)) this.#sent();
      } else if (trailers !== null) {
        this.#trailersQueued = null;
        this.connection.writeHeaders(this.id, trailers, true);
        this.#sent();
      }
    }
    if (sent > 0) this.listener?.onConsumed(this, sent);
    return done;
  }

  /** Marks the stream closed and drops what waits. Called by the connection when it forgets the stream. */
  forget(): void {
    this.closed = true;
    queuedBytes.add(-this.queued);
    this.#queue = null;
    this.#trailersQueued = null;
  }

  #enqueue(buffer: Uint8Array, start: number, end: number, fin: boolean): void {
    let queue = this.#queue;
    if (queue === null) {
      queue = this.#queue = new ByteSink(end - start);
      this.#queueStart = 0;
      this.connection.wait(this);
    } else if (this.#queueStart > queue.length >> 1) {
      queue.buffer.copyWithin(0, this.#queueStart, queue.length);
      queue.length -= this.#queueStart;
      this.#queueStart = 0;
    }
    queue.append(buffer, start, end);
    queuedBytes.add(end - start);
    if (fin) this.#finQueued = true;
  }

  #sent(): void {
    this.sendEnd = true;
    if (this.recvEnd) this.connection.finishStream(this);
  }
}
