/** An HTTP/1.1 connection that sends requests, as the upstream leg of one exchange at a time; pooled in between. */
import type { Linked } from "../base/linked_list.ts";
import { Connected } from "../net/connected.ts";
import { Outbox, type OutboxOwner } from "../net/outbox.ts";
import type { ConnectionStats } from "../net/connection_stats.ts";
import { dirtyOutboxes, type Flushable } from "../net/flush.ts";
import { hasInput } from "../net/peer_ended.ts";
import { limitReceiveBuffer } from "../net/receive_buffer.ts";
import { resetConnection } from "../net/reset.ts";
import { type RawSocket, type SocketOwner, statsOf } from "../net/socket.ts";
import { HAS_TE_TRAILERS, type HeaderBlock } from "../wire/header_block.ts";
import { HeadCache } from "../wire/http1/head_cache.ts";
import { textForCode } from "../wire/http1/error_code.ts";
import { FRAMING_LENGTH, FRAMING_NONE, FRAMING_UNTIL_CLOSE } from "../wire/http1/framing.ts";
import { parseResponseHead, responseFraming, type ResponseHead } from "../wire/http1/response_head.ts";
import * as serialize from "../wire/http1/serialize.ts";
import { INTERNAL_ERROR, NO_ERROR, PROTOCOL_ERROR, REFUSED_STREAM } from "../wire/http2/error_code.ts";
import type { Http1ClientOwner } from "./http1_client_owner.ts";
import type { Leg, LegListener } from "./leg.ts";
import { HTTP1_PAUSE_BYTES, TIGHT_RECEIVE_BYTES } from "./limits.ts";
import { withEmptyBody } from "./http1_answers.ts";
import { DATA, END, Http1BodyReader, LAST, NEED_MORE } from "./http1_body_reader.ts";
import { CHUNKED, COUNTED, Http1BodyWriter, OMITTED } from "./http1_body_writer.ts";
import { type BytesReader, HeldBytes } from "./http1_held_bytes.ts";
import { TcpLeg } from "./tcp_leg.ts";
import { BLAME, COMMON_SHARE, type PeerShare, waitingBudget } from "./waiting_budget.ts";

const IDLE = 0;
const HEAD = 1;
const BODY = 2;
const DONE = 3;
const CLOSED = 4;
const EMPTY = new Uint8Array(0);

/** What a request asks of the connection beyond its header section. */
export interface Http1Request {
  /** 0 when the client spoke HTTP/1.0, otherwise 1. */
  readonly minorVersion: 0 | 1;
  /** Value of Upgrade, "" for none. */
  readonly upgrade: string;
}

// long-file: one state machine, whose sending and receiving halves share all of their state
export class Http1Client extends Connected
  implements Leg, SocketOwner, OutboxOwner, BytesReader, Flushable, Linked<Http1Client> {
  reason = "";
  readonly socket: RawSocket;
  stats: ConnectionStats | null;
  readonly outbox: Outbox;
  listener: LegListener | null = null;
  /** Reads of it are limited: it is slow for large bodies. */
  isLimited = false;
  /** Requests served before the present one: a failure on a reused connection may mean that the peer had closed it. */
  served = 0;
  // The pool's.
  idleSinceMs = 0;
  before: Http1Client | null = null;
  after: Http1Client | null = null;
  readonly #owner: Http1ClientOwner;
  readonly #cache: HeadCache<ResponseHead>;
  readonly #held: HeldBytes;
  #state = IDLE;
  #method = "";
  #request: Http1Request = PLAIN;
  #framing: number = FRAMING_NONE;
  readonly #body = new Http1BodyReader();
  readonly #out = new Http1BodyWriter();
  #sent = false;
  #anyByte = false;
  /** What the socket had taken when the request began. */
  #writtenBefore = 0;
  /** Bytes follow what was last taken from the buffer: behind a complete response they make the connection unusable. */
  #more = false;
  #keepAlive = true;
  #unconsumed = 0;
  #paused = false;
  #owed = 0;

  /** @param cache response heads seen before; shared by the connections to an endpoint */
  constructor(
    socket: RawSocket,
    owner: Http1ClientOwner,
    cache: HeadCache<ResponseHead>,
    share: PeerShare = COMMON_SHARE,
  ) {
    super();
    this.socket = socket;
    this.#owner = owner;
    this.#cache = cache;
    this.#held = new HeldBytes(this, null);
    this.outbox = new Outbox(socket, this, share, BLAME.own);
    this.stats = statsOf(socket);
    socket.data = this;
  }

  /** True when a request can be sent. */
  get isIdle(): boolean {
    return this.#state === IDLE;
  }

  /** Prepares for a request; `sendHead` follows. */
  start(listener: LegListener, request: Http1Request): void {
    this.listener = listener;
    this.#request = request;
    this.#state = HEAD;
    this.#sent = false;
    this.#anyByte = false;
    this.#writtenBefore = this.outbox.written;
    this.#unconsumed = 0;
    this.#owed = 0;
  }

  /**
   * Has the connection looked at once more before the request is written: what the peer did since this turn of the event
   * loop began is known to the kernel alone. A request whose connection was closed meanwhile is not sent. Call after
   * `start` and before `sendHead`, so that it comes just before the write.
   */
  lookBeforeWrite(): void {
    dirtyOutboxes.add(this);
  }

  /** The turn ends, the request is written next. */
  flush(): void {
    if (this.#state === HEAD && this.outbox.written === this.#writtenBefore && hasInput(this.socket)) {
      this.onClose(null);
    }
  }

  /** Has the kernel take little from here on; for the life of the connection, which should be short then. */
  limitReads(): void {
    this.isLimited = true;
    limitReceiveBuffer(this.socket, TIGHT_RECEIVE_BYTES);
  }

  /** Closes an idle connection. */
  close(): void {
    if (this.#state === CLOSED) return;
    this.#state = CLOSED;
    this.outbox.endWhenFlushed();
  }

  // --- sending (Leg)

  sendHead(head: HeaderBlock, end: boolean, _reason: string): void {
    if (this.#state === CLOSED) return;
    this.#method = head.method;
    const { minorVersion, upgrade } = this.#request;
    const isTunnel = upgrade !== "" || head.method === "CONNECT";
    // Before the server agrees to a tunnel, bytes behind the body would be read as another request.
    const kind = head.contentLength >= 0 || isTunnel ? COUNTED : end ? OMITTED : CHUNKED;
    this.#out.begin(kind, Math.max(0, head.contentLength));
    let bits = minorVersion === 1 ? 0 : serialize.SEND_HTTP10;
    if (kind === CHUNKED) bits |= serialize.SEND_CHUNKED;
    if (upgrade !== "") bits |= serialize.SEND_UPGRADE;
    if ((head.flags & HAS_TE_TRAILERS) !== 0) bits |= serialize.SEND_TE_TRAILERS;
    const needsLength = end && head.contentLength < 0 && !isTunnel && expectsBody(head.method);
    const result = serialize.appendRequestHead(
      this.outbox.begin(),
      needsLength ? withEmptyBody(head) : head,
      bits,
      upgrade,
    );
    if (result < 0) return this.#cannotSay(textForCode(result));
    if (end) this.#requestSent();
  }

  sendInterim(_head: HeaderBlock): void {}

  sendData(buffer: Uint8Array, start: number, end: number, fin: boolean): void {
    if (this.#state === CLOSED || this.#sent) return;
    if (!this.#out.data(this.outbox, buffer, start, end)) return this.#misframed("longer");
    const bytes = end - start;
    if (bytes > 0) {
      if (this.outbox.hasRoom) this.listener?.onConsumed(this, bytes);
      else this.#owed += bytes;
    }
    if (!fin || this.#isClosed()) return;
    if (this.#out.end(this.outbox)) this.#requestSent();
    else this.#misframed("shorter");
  }

  sendTrailers(trailers: HeaderBlock): void {
    if (this.#state === CLOSED || this.#sent) return;
    if (this.#out.trailers(this.outbox, trailers)) this.#requestSent();
    else this.#misframed("shorter");
  }

  abort(h2Code: number): void {
    if (this.#state === CLOSED || this.#state === IDLE) return;
    this.listener = null;
    this.#state = CLOSED;
    this.outbox.close();
    if (h2Code === NO_ERROR) this.socket.end();
    else resetConnection(this.socket);
    this.#owner.onClosed(this);
  }

  consumed(bytes: number): void {
    this.#unconsumed -= bytes;
    if (this.#paused && this.#unconsumed < HTTP1_PAUSE_BYTES >> 1 && this.#state !== CLOSED) {
      this.#paused = false;
      this.socket.resume();
    }
  }

  /** Takes the socket out of HTTP after 101 or 2xx to CONNECT; bytes already received follow by `drainHeld`. */
  detach(): TcpLeg {
    this.#state = CLOSED;
    const leg = new TcpLeg(this.socket, this.outbox, this.listener);
    this.listener = null;
    this.#owner.onClosed(this);
    return leg;
  }

  /** Hands what was received after the head of an upgrade to the tunnel. */
  drainHeld(leg: TcpLeg): void {
    if (this.#held.length > 0) this.#held.read(leg);
    if (this.#paused) this.socket.resume();
  }

  // --- socket events

  onData(buffer: Uint8Array): void {
    if (this.#state === CLOSED) return;
    this.#anyByte = true;
    if (this.#state === IDLE) return void this.socket.terminate(); // nobody asked: the connection cannot be trusted
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
  }

  onOutboxStuck(): void {
    if (this.#state === CLOSED) this.socket.terminate();
    else this.#fail(INTERNAL_ERROR, "the endpoint does not read", false);
  }

  onEnd(): void {
    if (this.#state === BODY && this.#framing === FRAMING_UNTIL_CLOSE) {
      this.#keepAlive = false;
      return this.#bodyDone(EMPTY, 0, 0);
    }
    this.onClose(null);
    this.socket.end();
  }

  onClose(error: Error | null): void {
    if (this.#state === CLOSED) return this.outbox.close();
    const detail = error === null ? "server closed the connection" : error.message;
    if (this.#state === IDLE) {
      this.#state = CLOSED;
      this.outbox.close();
      return this.#owner.onClosed(this);
    }
    if (this.#anyByte) return this.#fail(INTERNAL_ERROR, detail, false);
    if (this.outbox.written === this.#writtenBefore) {
      return this.#fail(REFUSED_STREAM, `${detail}: nothing was sent`, true);
    }
    // A reused connection that dies without a byte of answer was closed while idle: the request was not seen.
    this.#fail(INTERNAL_ERROR, detail, this.served > 0);
  }

  // --- receiving

  /** Reads the response; what is behind it is dropped, and the connection then not used again. */
  readBytes(buffer: Uint8Array, start: number, end: number): void {
    let at = start;
    while (at < end) {
      if (this.#state === HEAD) {
        const next = this.#readHead(buffer, at, end);
        if (next < 0) return;
        at = next;
      } else if (this.#state === BODY) at = this.#readBody(buffer, at, end);
      else return;
    }
  }

  #readHead(buffer: Uint8Array, start: number, end: number): number {
    const headEnd = this.#held.findHead(buffer, start, end, 0);
    if (headEnd === 0) {
      this.#held.keepHead(buffer, start, end);
      return -1;
    }
    const head = headEnd < 0 ? headEnd : this.#cache.read(buffer, start, headEnd, parseResponseHead);
    if (typeof head === "number") {
      this.#fail(PROTOCOL_ERROR, textForCode(head), false);
      return -1;
    }
    const { status } = head.block;
    this.reason = head.reason;
    this.#more = headEnd < end;
    if (status === 101 && this.#request.upgrade === "") {
      this.#fail(PROTOCOL_ERROR, "101 to a request that asked for no upgrade", false);
      return -1;
    }
    if (status === 101 || (this.#method === "CONNECT" && status >= 200 && status < 300)) {
      if (headEnd < end) this.#held.keep(buffer, headEnd, end);
      this.listener?.onHead(this, head.block, false);
      return -1;
    }
    if (status < 200) {
      this.listener?.onInterim(this, head.block);
      return headEnd;
    }
    this.#begin(head);
    return headEnd;
  }

  #begin(head: ResponseHead): void {
    this.#keepAlive = head.keepAlive && this.#request.minorVersion === 1;
    this.#framing = responseFraming(head, this.#method, head.block.status);
    const empty = this.#framing === FRAMING_NONE || (this.#framing === FRAMING_LENGTH && head.contentLength === 0);
    if (!empty) this.#body.begin(this.#framing, head.contentLength);
    this.#state = empty ? DONE : BODY;
    const { listener } = this;
    if (empty) this.#responseReceived();
    listener?.onHead(this, head.block, empty);
  }

  #readBody(buffer: Uint8Array, start: number, end: number): number {
    const body = this.#body;
    let at = start;
    while (this.#state === BODY) {
      const event = body.next(buffer, at, end);
      at = body.position;
      if (event === NEED_MORE) return end;
      if (event < 0) {
        this.#fail(PROTOCOL_ERROR, textForCode(event), false);
        return end;
      }
      this.#more = at < end;
      if (event === END) {
        this.#bodyEnds();
        return at;
      }
      this.#account(body.dataEnd - body.dataStart);
      if (event === LAST) this.#bodyDone(buffer, body.dataStart, body.dataEnd);
      else if (event === DATA) this.listener?.onData(this, buffer, body.dataStart, body.dataEnd, false);
    }
    return at;
  }

  #bodyEnds(): void {
    const { trailers } = this.#body;
    if (trailers === null) return this.#bodyDone(EMPTY, 0, 0);
    const { listener } = this;
    this.#responseReceived();
    listener?.onTrailers(this, trailers);
  }

  #account(bytes: number): void {
    this.#unconsumed += bytes;
    if (this.#unconsumed > waitingBudget.pauseBytes && !this.#paused) {
      this.#paused = true;
      this.socket.pause();
    }
  }

  #bodyDone(buffer: Uint8Array, start: number, end: number): void {
    const { listener } = this;
    this.#responseReceived();
    listener?.onData(this, buffer, start, end, true);
  }

  /** The response is complete. The listener is told by the caller, after the connection has been put back. */
  #responseReceived(): void {
    this.#state = DONE;
    this.listener = null;
    if (this.#more) this.#keepAlive = false;
    if (this.#paused) {
      this.#paused = false;
      this.socket.resume();
    }
    if (this.#sent) this.#finish();
    else this.#keepAlive = false; // answered before the request was read to its end
  }

  #requestSent(): void {
    this.#sent = true;
    if (this.#state === DONE) this.#finish();
  }

  #finish(): void {
    this.served++;
    if (this.#keepAlive) {
      this.#state = IDLE;
      this.#owner.onReusable(this);
    } else {
      this.#state = CLOSED;
      this.outbox.endWhenFlushed();
      this.#owner.onClosed(this);
    }
  }

  /** The request cannot be expressed in HTTP/1.1: nothing of it was sent, and the connection serves others. */
  #cannotSay(detail: string): void {
    const { listener } = this;
    this.listener = null;
    this.#state = IDLE;
    this.#owner.onReusable(this);
    listener?.onAbort(this, PROTOCOL_ERROR, true, detail);
  }

  /** The client's body does not have the length that its head announced. */
  #misframed(what: string): void {
    this.#fail(PROTOCOL_ERROR, `the request's body is ${what} than it announced`, false);
  }

  /** For the places where a write may have ended the connection. */
  #isClosed(): boolean {
    return this.#state === CLOSED;
  }

  #fail(h2Code: number, detail: string, unprocessed: boolean): void {
    if (this.#state === CLOSED) return;
    this.#state = CLOSED;
    this.outbox.close();
    this.socket.terminate();
    const { listener } = this;
    this.listener = null;
    this.#owner.onClosed(this);
    listener?.onAbort(this, h2Code, unprocessed, detail);
  }
}

const PLAIN: Http1Request = { minorVersion: 1, upgrade: "" };

/** Methods whose requests should say that they have no body (RFC 9110 §8.6). */
function expectsBody(method: string): boolean {
  return method === "POST" || method === "PUT" || method === "PATCH";
}
