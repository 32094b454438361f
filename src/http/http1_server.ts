/**
 * An HTTP/1.1 connection that serves requests (RFC 9112), as the downstream leg of one exchange after another.
 *
 *   head → body → waiting for the response → (keep-alive) head … | tunnel after 101 or 2xx to CONNECT | close
 *
 * Pipelined requests are served in order: bytes of later ones are kept, bounded, and reading is paused.
 */
import { Timer, type TimerOwner } from "../base/timer_wheel.ts";
import { Outbox, type OutboxOwner } from "../net/outbox.ts";
import type { ConnectionStats } from "../net/connection_stats.ts";
import { resetConnection } from "../net/reset.ts";
import { type RawSocket, type SocketOwner, statsOf } from "../net/socket.ts";
import { arm, disarm } from "../net/ticker.ts";
import type { HeaderBlock } from "../wire/header_block.ts";
import * as chunked from "../wire/http1/chunked.ts";
import { HeadCache } from "../wire/http1/head_cache.ts";
import { findHeadEnd, skipLeadingCrlf } from "../wire/http1/head_end.ts";
import { statusForCode, textForCode } from "../wire/http1/error_code.ts";
import { parseRequestHead, type RequestHead } from "../wire/http1/request_head.ts";
import * as serialize from "../wire/http1/serialize.ts";
import { CANCEL, NO_ERROR } from "../wire/http2/error_code.ts";
import type { Leg, LegListener } from "./leg.ts";
import { HTTP1_PAUSE_BYTES, MAX_PIPELINED_BYTES } from "./limits.ts";
import { appendErrorResponse, withEmptyBody } from "./http1_answers.ts";
import { PartialBytes } from "./partial_bytes.ts";
import { TcpLeg } from "./tcp_leg.ts";

/** From the first byte of a head to its end; slower ones are answered 408 (slow-head attacks hold connections open). */
export const HEAD_TIMEOUT_MS = 30_000;
/** Between requests: longer than the keep-alive of common clients' pools, so that it is they who close. */
export const IDLE_TIMEOUT_MS = 600_000;
/** After a response to a request that was not read to its end: how long we go on reading so that the response is not lost to a reset. */
const LINGER_MS = 2_000;

const HEAD = 0;
const BODY = 1;
const WAIT = 2;
const CLOSED = 3;
const EMPTY = new Uint8Array(0);

/** Gets the requests of the connection. */
export interface Http1ServerOwner {
  /** A request began; the owner sets `connection.listener` before it returns. */
  onRequest(connection: Http1Server, request: RequestHead): void;
  /** A message that breaks RFC 9112 was answered and the connection is being closed. */
  onBadRequest(connection: Http1Server, status: number, detail: string): void;
  /** The connection is gone. */
  onClosed(connection: Http1Server): void;
}

export class Http1Server implements Leg, SocketOwner, OutboxOwner, TimerOwner {
  readonly reason = "";
  readonly socket: RawSocket;
  stats: ConnectionStats | null;
  readonly outbox: Outbox;
  listener: LegListener | null = null;
  /** Closes after the present response (drain). */
  closing = false;
  readonly #owner: Http1ServerOwner;
  readonly #cache: HeadCache<RequestHead>;
  readonly #timer = new Timer(this, 0);
  readonly #held = new PartialBytes();
  #scanned = 0;
  #state = HEAD;
  #request: RequestHead | null = null;
  #bodyLeft = 0;
  #chunks: chunked.ChunkedDecoder | null = null;
  #sendsBody = false;
  #sendsChunks = false;
  #keepAlive = true;
  #responded = false;
  #received = false;
  #reading = false;
  #unconsumed = 0;
  #paused = false;
  #owed = 0;
  #peerEnded = false;
  #lingering = false;

  /** @param cache heads seen before; shared by the connections of a listener */
  constructor(socket: RawSocket, owner: Http1ServerOwner, cache: HeadCache<RequestHead>) {
    this.socket = socket;
    this.#owner = owner;
    this.#cache = cache;
    this.outbox = new Outbox(socket, this);
    this.stats = statsOf(socket);
    socket.data = this;
    arm(this.#timer, HEAD_TIMEOUT_MS);
  }

  /** No request is being served. */
  get isIdle(): boolean {
    return this.#state === HEAD && this.#request === null;
  }

  /** Lets the present request finish, then closes; closes at once when idle. */
  shutdown(): void {
    this.closing = true;
    if (this.isIdle) this.#close();
  }

  // --- socket events

  onOpen(_socket: RawSocket): void {}

  onHandshake(_socket: RawSocket, _ok: boolean, _error: Error | null): void {}

  onConnectFailed(_error: Error): void {}

  onData(buffer: Uint8Array): void {
    if (this.#lingering || this.#state === CLOSED) return;
    if (this.#state === WAIT || this.#reading) return this.#hold(buffer, 0, buffer.length);
    if (this.#held.length > 0) this.#moreHead(buffer);
    else this.#read(buffer, 0, buffer.length);
  }

  onDrain(): void {
    this.outbox.onDrain();
  }

  onOutboxDrained(): void {
    const owed = this.#owed;
    this.#owed = 0;
    if (owed > 0) this.listener?.onConsumed(this, owed);
  }

  onEnd(): void {
    this.#peerEnded = true;
    // A client may half-close after its request (RFC 9112 §9.6): it still gets the answer.
    if (this.#state === WAIT) return;
    if (this.#state === BODY) this.#abortDownstream("client closed in the middle of a body");
    this.#close();
  }

  onClose(error: Error | null): void {
    if (this.#state === CLOSED) return;
    this.#gone();
    this.#abortDownstream(error === null ? "client closed the connection" : error.message);
    this.#owner.onClosed(this);
  }

  onTimer(_kind: number): void {
    if (this.#lingering || (this.isIdle && this.#held.length === 0)) return this.#close();
    if (this.#state === HEAD) this.#refuse(408, "head was not completed in time");
  }

  // --- reading

  /** Adds to a split head; looks only at what is new, so that a head sent byte by byte costs linear time. */
  #moreHead(buffer: Uint8Array): void {
    const held = this.#held;
    held.append(buffer, 0, buffer.length);
    if (findHeadEnd(held.buffer, 0, held.length, this.#scanned) === 0) this.#scanned = Math.max(0, held.length - 3);
    else this.#readHeld();
  }

  #readHeld(): void {
    const { buffer, length } = this.#held;
    this.#held.clear();
    this.#read(buffer, 0, length);
  }

  #read(buffer: Uint8Array, start: number, end: number): void {
    let at = start;
    this.#reading = true;
    while (at < end) {
      if (this.#state === BODY) at = this.#readBody(buffer, at, end);
      else if (this.#state === HEAD) {
        const next = this.#readHead(buffer, at, end);
        if (next < 0) break;
        at = next;
      } else {
        if (this.#state === WAIT) this.#hold(buffer, at, end);
        break;
      }
    }
    this.#reading = false;
  }

  /** Returns where the body begins, or -1 when more bytes are needed or the connection is being closed. */
  #readHead(buffer: Uint8Array, start: number, end: number): number {
    const at = this.#scanned > 0 ? start : skipLeadingCrlf(buffer, start, end);
    if (at === end) return end;
    const headEnd = findHeadEnd(buffer, at, end, at + this.#scanned);
    if (headEnd === 0) {
      arm(this.#timer, HEAD_TIMEOUT_MS);
      this.#held.append(buffer, at, end);
      this.#scanned = Math.max(0, end - at - 3);
      return -1;
    }
    this.#scanned = 0;
    const head = headEnd < 0 ? headEnd : this.#parse(buffer, at, headEnd);
    if (typeof head === "number") {
      this.#refuse(statusForCode(head), textForCode(head));
      return -1;
    }
    disarm(this.#timer);
    this.#begin(head);
    return headEnd;
  }

  #parse(buffer: Uint8Array, start: number, end: number): RequestHead | number {
    const known = this.#cache.get(buffer, start, end);
    if (known !== null) return known;
    const head = parseRequestHead(buffer, start, end);
    if (typeof head !== "number") this.#cache.put(buffer, start, end, head);
    return head;
  }

  #begin(head: RequestHead): void {
    this.#request = head;
    this.#keepAlive = head.keepAlive;
    this.#responded = false;
    this.#received = false;
    this.#owed = 0;
    if (head.framing === 0) {
      this.#state = WAIT;
      this.#received = true;
    } else {
      this.#state = BODY;
      this.#bodyLeft = head.contentLength;
      if (head.framing === 2) {
        this.#chunks ??= new chunked.ChunkedDecoder();
        this.#chunks.reset();
      }
    }
    this.#owner.onRequest(this, head);
  }

  #readBody(buffer: Uint8Array, start: number, end: number): number {
    if (this.#request?.framing === 2) return this.#readChunks(buffer, start, end);
    const n = Math.min(this.#bodyLeft, end - start);
    this.#bodyLeft -= n;
    this.#account(n);
    if (this.#bodyLeft === 0) this.#bodyDone(buffer, start, start + n);
    else this.listener?.onData(this, buffer, start, start + n, false);
    return start + n;
  }

  #readChunks(buffer: Uint8Array, start: number, end: number): number {
    const decoder = this.#chunks as chunked.ChunkedDecoder; // set when framing is chunked
    let at = start;
    while (this.#state === BODY) {
      const event = decoder.next(buffer, at, end);
      at = decoder.position;
      if (event === chunked.NEED_MORE) return at;
      if (event === chunked.DATA) {
        this.#account(decoder.dataEnd - decoder.dataStart);
        this.listener?.onData(this, buffer, decoder.dataStart, decoder.dataEnd, false);
      } else if (event === chunked.END) {
        const { trailers } = decoder;
        if (trailers === null) this.#bodyDone(EMPTY, 0, 0);
        else {
          const { listener } = this;
          this.#bodyReceived();
          listener?.onTrailers(this, trailers);
        }
        return at;
      } else {
        this.#abortDownstream("request body has malformed chunks");
        this.#refuse(statusForCode(event), textForCode(event));
        return end;
      }
    }
    return at;
  }

  #bodyDone(buffer: Uint8Array, start: number, end: number): void {
    const { listener } = this;
    this.#bodyReceived();
    listener?.onData(this, buffer, start, end, true);
  }

  #bodyReceived(): void {
    this.#received = true;
    this.#state = WAIT;
    if (this.#responded) this.#next();
  }

  #account(bytes: number): void {
    this.#unconsumed += bytes;
    if (this.#unconsumed > HTTP1_PAUSE_BYTES) this.#pause();
  }

  #hold(buffer: Uint8Array, start: number, end: number): void {
    this.#held.append(buffer, start, end);
    if (this.#held.length > MAX_PIPELINED_BYTES) return void this.socket.terminate();
    this.#pause();
  }

  #pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.socket.pause();
  }

  #resume(): void {
    if (!this.#paused || this.#state === CLOSED) return;
    this.#paused = false;
    this.socket.resume();
  }

  // --- responding (Leg)

  sendHead(head: HeaderBlock, end: boolean, reason: string): void {
    const request = this.#request;
    if (request === null || this.#state === CLOSED) return;
    if (head.status === 101 || (request.isConnect && head.status < 300)) return this.#sendTunnelHead(head, reason);
    const bodylessStatus = head.status === 204 || head.status === 304;
    const bodyless = end || request.block.method === "HEAD" || bodylessStatus;
    this.#sendsChunks = !bodyless && head.contentLength < 0 && request.minorVersion === 1;
    this.#sendsBody = !bodyless;
    if (this.closing || this.#peerEnded || (!bodyless && head.contentLength < 0 && !this.#sendsChunks)) {
      this.#keepAlive = false;
    }
    if (!this.#received && end) this.#keepAlive = false;
    let bits = this.#keepAlive ? 0 : serialize.SEND_CLOSE;
    if (request.minorVersion === 0) bits |= serialize.SEND_HTTP10 | (this.#keepAlive ? serialize.SEND_KEEP_ALIVE : 0);
    if (this.#sendsChunks) bits |= serialize.SEND_CHUNKED;
    const isEmpty = end && head.contentLength < 0 && !bodylessStatus && request.block.method !== "HEAD";
    const result = serialize.appendResponseHead(
      this.outbox.begin(),
      isEmpty ? withEmptyBody(head) : head,
      reason,
      bits,
      "",
    );
    if (result < 0) return this.#cannotSay(textForCode(result));
    if (end) this.#finishResponse();
  }

  sendInterim(head: HeaderBlock): void {
    if (this.#request === null || this.#request.minorVersion === 0 || this.#state === CLOSED) return;
    serialize.appendResponseHead(this.outbox.begin(), head, "", 0, "");
  }

  sendData(buffer: Uint8Array, start: number, end: number, fin: boolean): void {
    if (this.#request === null || this.#state === CLOSED) return;
    const bytes = end - start;
    if (bytes > 0) {
      if (this.#sendsBody) {
        if (this.#sendsChunks) serialize.appendChunkHeader(this.outbox.begin(), bytes);
        this.outbox.append(buffer, start, end);
        if (this.#sendsChunks) serialize.appendChunkEnd(this.outbox.begin());
      }
      if (this.outbox.hasRoom) this.listener?.onConsumed(this, bytes);
      else this.#owed += bytes;
    }
    if (!fin) return;
    if (this.#sendsChunks) serialize.appendLastChunk(this.outbox.begin());
    this.#finishResponse();
  }

  sendTrailers(trailers: HeaderBlock): void {
    if (this.#request === null || this.#state === CLOSED) return;
    // Trailers that HTTP/1.1 cannot say are left out: the body is complete without them.
    if (this.#sendsChunks && serialize.appendTrailers(this.outbox.begin(), trailers) < 0) {
      serialize.appendLastChunk(this.outbox.begin());
    }
    this.#finishResponse();
  }

  abort(h2Code: number): void {
    if (this.#state === CLOSED) return;
    this.listener = null;
    if (h2Code === NO_ERROR && this.#responded) return;
    // A response that cannot be completed must not look complete: reset rather than FIN.
    this.outbox.flush();
    this.#gone();
    resetConnection(this.socket);
    this.#owner.onClosed(this);
  }

  consumed(bytes: number): void {
    this.#unconsumed -= bytes;
    if (this.#state === BODY && this.#unconsumed < HTTP1_PAUSE_BYTES >> 1) this.#resume();
  }

  /** Takes the socket out of HTTP after 101 or 2xx to CONNECT; bytes already received follow by `drainHeld`. */
  detach(): TcpLeg {
    this.#state = CLOSED;
    disarm(this.#timer);
    const leg = new TcpLeg(this.socket, this.outbox, this.listener);
    this.listener = null;
    return leg;
  }

  /** Hands what was received after the head of an upgrade to the tunnel, and lets the socket go on. */
  drainHeld(leg: TcpLeg): void {
    const { buffer, length } = this.#held;
    this.#held.clear();
    if (length > 0) leg.onData(buffer.subarray(0, length));
    if (this.#paused) this.socket.resume();
    if (this.#peerEnded) leg.onEnd();
  }

  #sendTunnelHead(head: HeaderBlock, reason: string): void {
    const upgrade = head.status === 101 ? (this.#request?.upgrade ?? "") : "";
    const bits = upgrade === "" ? 0 : serialize.SEND_UPGRADE;
    const result = serialize.appendResponseHead(this.outbox.begin(), head, reason, bits, upgrade);
    if (result < 0) this.#cannotSay(textForCode(result));
  }

  /** The upstream's response cannot be expressed in HTTP/1.1. */
  #cannotSay(detail: string): void {
    this.#keepAlive = false;
    this.#sendsBody = false;
    this.#sendsChunks = false;
    appendErrorResponse(this.outbox.begin(), 502, `the response cannot be said in HTTP/1.1: ${detail}`);
    this.#abortDownstream(detail);
    this.#finishResponse();
  }

  #finishResponse(): void {
    this.#responded = true;
    this.listener = null;
    if (this.#received) this.#next();
    else {
      // The request goes on although it was answered: read no more of it, but let the answer arrive.
      this.#lingering = true;
      this.#state = WAIT;
      this.#unconsumed = 0;
      this.#resume();
      this.outbox.shutdownWhenFlushed();
      arm(this.#timer, LINGER_MS);
    }
  }

  #next(): void {
    this.#request = null;
    this.#unconsumed = 0;
    if (!this.#keepAlive || this.closing || this.#peerEnded) return this.#close();
    this.#state = HEAD;
    arm(this.#timer, IDLE_TIMEOUT_MS);
    if (this.#reading) return;
    if (this.#held.length > 0) this.#readHeld();
    if (this.#state !== WAIT || this.#held.length === 0) this.#resume();
  }

  #refuse(status: number, detail: string): void {
    appendErrorResponse(this.outbox.begin(), status, detail);
    this.#owner.onBadRequest(this, status, detail);
    this.#lingering = true;
    this.outbox.shutdownWhenFlushed();
    arm(this.#timer, LINGER_MS);
  }

  #abortDownstream(detail: string): void {
    const { listener } = this;
    this.listener = null;
    listener?.onAbort(this, CANCEL, false, detail);
  }

  #close(): void {
    if (this.#state === CLOSED) return;
    this.#state = CLOSED;
    disarm(this.#timer);
    this.outbox.endWhenFlushed();
    this.#owner.onClosed(this);
  }

  #gone(): void {
    this.#state = CLOSED;
    disarm(this.#timer);
    this.outbox.close();
  }
}
