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
import type { HeadCache } from "../wire/http1/head_cache.ts";
import { skipLeadingCrlf } from "../wire/http1/head_end.ts";
import { statusForCode, textForCode } from "../wire/http1/error_code.ts";
import { parseRequestHead, type RequestHead } from "../wire/http1/request_head.ts";
import { FRAMING_NONE } from "../wire/http1/framing.ts";
import * as serialize from "../wire/http1/serialize.ts";
import { CANCEL, INTERNAL_ERROR, NO_ERROR } from "../wire/http2/error_code.ts";
import type { Http1ServerOwner } from "./http1_server_owner.ts";
import { IdleConnection } from "./idle_connections.ts";
import type { Leg, LegListener } from "./leg.ts";
import {
  HALF_CLOSED_MS,
  HEAD_TIMEOUT_MS,
  HTTP1_PAUSE_BYTES,
  IDLE_TIMEOUT_MS,
  LINGER_MS,
  MAX_PIPELINED_BYTES,
  RETIRED_IDLE_MS,
} from "./limits.ts";
import { appendErrorResponse, appendFinalHead, appendTunnelHead, bodyOf, endsWithAnswer } from "./http1_answers.ts";
import { type BytesReader, HeldBytes } from "./http1_held_bytes.ts";
import { DATA, END, Http1BodyReader, LAST, NEED_MORE } from "./http1_body_reader.ts";
import { Http1BodyWriter, UNTIL_CLOSE } from "./http1_body_writer.ts";
import { TcpLeg, type TcpLegOwner } from "./tcp_leg.ts";
import { BLAME, COMMON_SHARE, type PeerShare, waitingBudget } from "./waiting_budget.ts";

const HEAD = 0;
const BODY = 1;
const WAIT = 2;
const CLOSED = 3;
const EMPTY = new Uint8Array(0);

// long-file: one state machine, whose reading and responding halves share all of their state
export class Http1Server extends IdleConnection
  implements Leg, SocketOwner, OutboxOwner, TimerOwner, TcpLegOwner, BytesReader {
  readonly reason = "";
  readonly socket: RawSocket;
  stats: ConnectionStats | null;
  readonly outbox: Outbox;
  listener: LegListener | null = null;
  /** Closes after the present response (drain). */
  closing = false;
  readonly share: PeerShare;
  readonly #owner: Http1ServerOwner;
  readonly #cache: HeadCache<RequestHead>;
  readonly #timer = new Timer(this, 0);
  readonly #held: HeldBytes;
  #state = HEAD;
  #request: RequestHead | null = null;
  readonly #body = new Http1BodyReader();
  readonly #out = new Http1BodyWriter();
  #headSent = false;
  #keepAlive = true;
  #responded = false;
  #received = false;
  #reading = false;
  #unconsumed = 0;
  #paused = false;
  #owed = 0;
  #peerEnded = false;
  /** Bytes written when the half-closed client was last looked at. */
  #writtenBefore = 0;
  #lingering = false;
  /** The owner knows that the connection is gone. */
  #isOver = false;

  /** @param cache heads seen before; shared by a listener's connections @param share counts what waits for the client */
  constructor(socket: RawSocket, owner: Http1ServerOwner, cache: HeadCache<RequestHead>, share = COMMON_SHARE) {
    super();
    this.socket = socket;
    this.share = share;
    this.#held = new HeldBytes(this, share);
    this.#owner = owner;
    this.#cache = cache;
    this.outbox = new Outbox(socket, this, share, BLAME.own);
    this.stats = statsOf(socket);
    socket.data = this;
    this.#rest(HEAD_TIMEOUT_MS);
  }

  /** No request is being served. */
  get isIdle(): boolean {
    return this.#state === HEAD && this.#request === null;
  }

  /** Lets the present request finish, then closes; when idle at once or, `patient`, after the next, which may be on its way. */
  shutdown(patient = false): void {
    this.closing = true;
    if (this.isIdle && patient && this.#held.length === 0) arm(this.#timer, RETIRED_IDLE_MS);
    else if (this.isIdle && !patient) this.#close();
  }

  closeIdle(): boolean {
    if (this.outbox.pending > 0) return false;
    this.socket.end(); // onClose follows
    return true;
  }

  // --- socket events

  onData(buffer: Uint8Array): void {
    if (this.#lingering || this.#state === CLOSED) return;
    if (this.#state === WAIT || (this.#state === HEAD && !this.outbox.hasRoom)) {
      return this.#hold(buffer, 0, buffer.length);
    }
    if (this.#held.length === 0) this.readBytes(buffer, 0, buffer.length);
    else if (this.#held.completesHead(buffer)) this.#held.read(this);
  }

  onDrain(): void {
    this.outbox.onDrain();
  }

  onOutboxDrained(): void {
    const owed = this.#owed;
    this.#owed = 0;
    if (owed > 0) this.listener?.onConsumed(this, owed);
    if (this.#state === HEAD) this.#goOn();
  }

  onOutboxStuck(): void {
    if (this.#state === CLOSED) resetConnection(this.socket);
    else this.#cutOff(CANCEL, "client does not read");
  }

  onEnd(): void {
    this.#peerEnded = true;
    // A client may half-close after its request (RFC 9112 §9.6): it still gets an answer that comes soon.
    if (this.#state === WAIT && !this.#lingering) return this.#watchHalfClosed();
    if (this.#state === BODY) this.#abortDownstream("client closed in the middle of a body");
    this.#close();
  }

  onClose(error: Error | null): void {
    const wasOpen = this.#state !== CLOSED;
    this.#gone();
    if (wasOpen) this.#abortDownstream(error === null ? "client closed the connection" : error.message);
    this.#tellClosed();
  }

  onTimer(_kind: number): void {
    if (this.#lingering && this.outbox.pending > 0) return this.#reset(); // it does not even read the answer
    if (this.#lingering || (this.isIdle && this.#held.length === 0)) return this.#close();
    if (this.#state === HEAD) this.#refuse(408, "head was not completed in time");
    else if (this.#state === BODY && this.#responded) this.#linger();
    else if (this.#peerEnded && this.#state === WAIT) this.#checkHalfClosed();
  }

  #watchHalfClosed(): void {
    this.#writtenBefore = this.outbox.written;
    arm(this.#timer, HALF_CLOSED_MS);
  }

  /** Most clients that send FIN have gone: nothing tells them from one that reads on but a write, and none is due. */
  #checkHalfClosed(): void {
    if (this.outbox.written > this.#writtenBefore || this.outbox.pending > 0) return this.#watchHalfClosed();
    this.#abortDownstream("client closed its side and no answer came");
    this.#close();
  }

  // --- reading

  /** Reads as far as the state allows, and keeps the rest. */
  readBytes(buffer: Uint8Array, start: number, end: number): void {
    let at = start;
    this.#reading = true;
    while (at < end && !this.#lingering) {
      if (this.#state === BODY) at = this.#readBody(buffer, at, end);
      else if (this.#state === HEAD && this.outbox.hasRoom) {
        const next = this.#readHead(buffer, at, end);
        if (next < 0) break;
        at = next;
      } else {
        if (this.#state !== CLOSED) this.#hold(buffer, at, end);
        break;
      }
    }
    this.#reading = false;
    if (this.#paused) this.#settle();
  }

  /** Returns where the body begins, or -1 when more bytes are needed or the connection is being closed. */
  #readHead(buffer: Uint8Array, start: number, end: number): number {
    const at = skipLeadingCrlf(buffer, start, end);
    if (at === end) return end;
    const isResumed = this.#held.isResumed;
    const headEnd = this.#held.findHead(buffer, at, end, at - start);
    if (headEnd === 0) {
      if (!isResumed) this.#rest(HEAD_TIMEOUT_MS); // the time counts from the first byte
      this.#held.keepHead(buffer, at, end);
      return -1;
    }
    const head = headEnd < 0 ? headEnd : this.#cache.read(buffer, at, headEnd, parseRequestHead);
    if (typeof head === "number") {
      this.#refuse(statusForCode(head), textForCode(head));
      return -1;
    }
    disarm(this.#timer);
    this.#begin(head);
    return headEnd;
  }

  /** Waits for a request, or the rest of its head. */
  #rest(ms: number): void {
    arm(this.#timer, ms);
    this.share.idle.add(this);
  }

  #begin(head: RequestHead): void {
    this.share.idle.delete(this);
    this.#request = head;
    this.#keepAlive = head.keepAlive;
    this.#headSent = false;
    this.#responded = false;
    this.#owed = 0;
    this.#received = head.framing === FRAMING_NONE;
    this.#state = this.#received ? WAIT : BODY;
    if (!this.#received) this.#body.begin(head.framing, head.contentLength);
    this.#owner.onRequest(this, head);
  }

  #readBody(buffer: Uint8Array, start: number, end: number): number {
    const body = this.#body;
    let at = start;
    while (this.#state === BODY) {
      const event = body.next(buffer, at, end);
      at = body.position;
      if (event === NEED_MORE) return end;
      if (event === END) {
        this.#bodyEnds();
        return at;
      }
      if (event < 0) {
        this.#breaksOff(event);
        return end;
      }
      if (!this.#responded) this.#unconsumed += body.dataEnd - body.dataStart;
      if (this.#unconsumed > waitingBudget.pauseBytes) this.#pause();
      if (event === LAST) this.#bodyDone(buffer, body.dataStart, body.dataEnd);
      else if (event === DATA) this.listener?.onData(this, buffer, body.dataStart, body.dataEnd, false);
    }
    return at;
  }

  #bodyEnds(): void {
    const { trailers } = this.#body;
    if (trailers === null) return this.#bodyDone(EMPTY, 0, 0);
    const { listener } = this;
    this.#bodyReceived();
    listener?.onTrailers(this, trailers);
  }

  /** The body is malformed, and where the next request begins is unknown. */
  #breaksOff(code: number): void {
    const { listener } = this;
    this.listener = null;
    const detail = textForCode(code);
    if (this.#headSent) {
      // A second response would be read as part of the first one.
      this.#reset();
      this.#owner.onBadRequest(this, statusForCode(code), detail);
    } else this.#refuse(statusForCode(code), detail);
    listener?.onAbort(this, CANCEL, false, detail);
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

  /** Keeps bytes that must not be read yet, and stops more from coming. */
  #hold(buffer: Uint8Array, start: number, end: number): void {
    this.#held.keep(buffer, start, end);
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

  /** Reads on if nothing stands against it. */
  #settle(): void {
    if (this.#reading) return;
    if (this.#state === HEAD ? !this.outbox.hasRoom : this.#unconsumed >= HTTP1_PAUSE_BYTES >> 1) return;
    // While a request is served, more is read only to notice that the client goes away.
    if (this.#state !== WAIT || this.#held.length === 0) this.#resume();
  }

  // --- responding (Leg)

  sendHead(head: HeaderBlock, end: boolean, reason: string): void {
    const request = this.#request;
    if (request === null || this.#state === CLOSED) return;
    if (head.status === 101 || (request.isConnect && head.status < 300)) {
      const result = appendTunnelHead(this.outbox.begin(), request, head, reason);
      return result < 0 ? this.#cannotSay(textForCode(result)) : undefined;
    }
    const kind = bodyOf(request, head, end);
    this.#out.begin(kind, head.contentLength);
    if (this.closing || (this.#peerEnded && this.#held.length === 0) || kind === UNTIL_CLOSE) this.#keepAlive = false;
    if (!this.#received && endsWithAnswer(request, head.status)) this.#keepAlive = false;
    const result = appendFinalHead(this.outbox.begin(), request, head, end, reason, kind, this.#keepAlive);
    if (result < 0) return this.#cannotSay(textForCode(result));
    this.#headSent = true;
    if (end) this.#finishResponse();
  }

  sendInterim(head: HeaderBlock): void {
    if (this.#request === null || this.#request.minorVersion === 0 || this.#state === CLOSED) return;
    serialize.appendResponseHead(this.outbox.begin(), head, "", 0, "");
  }

  sendData(buffer: Uint8Array, start: number, end: number, fin: boolean): void {
    if (this.#request === null || this.#state === CLOSED) return;
    if (!this.#out.data(this.outbox, buffer, start, end)) return this.#misframed("longer");
    const bytes = end - start;
    if (bytes > 0) {
      if (this.outbox.hasRoom) this.listener?.onConsumed(this, bytes);
      else this.#owed += bytes;
    }
    if (!fin || this.#state === CLOSED) return; // a write may have ended the connection
    if (this.#out.end(this.outbox)) this.#finishResponse();
    else this.#misframed("shorter");
  }

  sendTrailers(trailers: HeaderBlock): void {
    if (this.#request === null || this.#state === CLOSED) return;
    if (this.#out.trailers(this.outbox, trailers)) this.#finishResponse();
    else this.#misframed("shorter");
  }

  abort(h2Code: number): void {
    if (this.#state === CLOSED) return;
    this.listener = null;
    if (h2Code !== NO_ERROR || !this.#responded) this.#reset();
  }

  consumed(bytes: number): void {
    this.#unconsumed -= bytes;
    if (this.#paused) this.#settle();
  }

  /** Takes the socket out of HTTP after 101 or 2xx to CONNECT; bytes already received follow by `drainHeld`. */
  detach(): TcpLeg {
    this.#state = CLOSED;
    disarm(this.#timer);
    const leg = new TcpLeg(this.socket, this.outbox, this.listener, this);
    this.listener = null;
    return leg;
  }

  /** The tunnel's socket is gone, and with it the connection. */
  onLegClosed(): void {
    this.#owner.onClosed(this);
  }

  /** Hands what was received after the head of an upgrade to the tunnel, and lets the socket go on. */
  drainHeld(leg: TcpLeg): void {
    if (this.#held.length > 0) this.#held.read(leg);
    if (this.#paused) this.socket.resume();
    if (this.#peerEnded) leg.onEnd();
  }

  #cannotSay(detail: string): void {
    this.#keepAlive = false;
    appendErrorResponse(this.outbox.begin(), 502, "upstream_protocol", `not for HTTP/1.1: ${detail}`, this.#request);
    this.#abortDownstream(detail);
    this.#finishResponse();
  }

  /** The upstream's body does not have the length that its head announced. */
  #misframed(what: string): void {
    this.#cutOff(INTERNAL_ERROR, `the response's body is ${what} than it announced`);
  }

  #cutOff(h2Code: number, detail: string): void {
    const { listener } = this;
    this.listener = null;
    this.#reset();
    listener?.onAbort(this, h2Code, false, detail);
  }

  #finishResponse(): void {
    this.#responded = true;
    this.listener = null;
    if (this.#received) return this.#next();
    // The request goes on although it was answered: read past its rest, or no more of it, but let the answer arrive.
    this.#unconsumed = 0;
    if (this.#keepAlive) {
      this.#resume();
      return arm(this.#timer, LINGER_MS);
    }
    this.#state = WAIT;
    this.#linger();
  }

  #next(): void {
    this.#request = null;
    this.#unconsumed = 0;
    if (!this.#keepAlive || this.closing || (this.#peerEnded && this.#held.length === 0)) return this.#close();
    this.#state = HEAD;
    this.#rest(IDLE_TIMEOUT_MS);
    this.#goOn();
  }

  /** Takes up what waits, when nothing is being read. */
  #goOn(): void {
    if (this.#reading) return;
    if (this.#held.length > 0) this.#held.read(this);
    if (this.#peerEnded && this.#state === HEAD && this.outbox.hasRoom) return this.#close(); // no more will come
    if (this.#paused) this.#settle();
  }

  #refuse(status: number, detail: string): void {
    this.#owner.onBadRequest(this, status, detail);
    this.refuseRequest(status, "bad_request", detail);
  }

  /** Answers with an error, and closes. @param code reason code */
  refuseRequest(status: number, code: string, detail: string): void {
    appendErrorResponse(this.outbox.begin(), status, code, detail, this.#request);
    this.#linger();
  }

  /** Sends what there is and then FIN, but goes on reading for a moment: closing on unread bytes would lose the answer. */
  #linger(): void {
    this.#lingering = true;
    this.#resume();
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
    this.share.idle.delete(this);
    disarm(this.#timer);
    this.outbox.endWhenFlushed(); // over only then: a client may take its time
  }

  /** A response that cannot be completed must not look complete: reset rather than FIN. */
  #reset(): void {
    this.outbox.flush();
    this.#gone();
    resetConnection(this.socket);
    this.#tellClosed();
  }

  #tellClosed(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#owner.onClosed(this);
  }

  #gone(): void {
    this.#state = CLOSED;
    this.share.idle.delete(this);
    disarm(this.#timer);
    this.#held.clear();
    this.outbox.close();
  }
}
