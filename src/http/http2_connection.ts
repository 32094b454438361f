/**
 * An HTTP/2 connection (RFC 9113), either role, over a plain or TLS socket.
 *
 * Reading: frames are handled where they lie in the socket's buffer; DATA is passed on as it arrives, other frames are
 * collected when they are split. Reading never pauses: flow control bounds what arrives, so two proxies that write to
 * each other cannot block each other. Writing: everything goes to the outbox, which leaves once per turn of the loop.
 */
import { Timer, type TimerOwner } from "../base/timer_wheel.ts";
import { Outbox, type OutboxOwner } from "../net/outbox.ts";
import type { ConnectionStats } from "../net/connection_stats.ts";
import { type RawSocket, type SocketOwner, statsOf } from "../net/socket.ts";
import { arm, disarm } from "../net/ticker.ts";
import type { HeaderBlock } from "../wire/header_block.ts";
import { PREFACE } from "../wire/http2/preface.ts";
import { HpackEncoder } from "../wire/hpack/encoder.ts";
import { Http2Reader } from "./http2_reader.ts";
import { Http2Stream } from "./http2_stream.ts";
import {
  CONNECTION_WINDOW_BYTES,
  HPACK_TABLE_BYTES,
  MAX_FRAME_BYTES,
  MAX_HEADER_LIST_BYTES,
  MAX_MESH_FRAME_BYTES,
  MAX_MESH_STREAMS,
  MAX_OUTBOX_BYTES,
  MAX_STREAMS,
  STREAM_WINDOW_BYTES,
} from "./limits.ts";
import { queuedBytes } from "./queued_bytes.ts";
import * as code from "../wire/http2/error_code.ts";
import * as frame from "../wire/http2/frame_type.ts";

/** Interval of keep-alive PINGs while a dialled connection is silent; and how long an answer may take. */
export const KEEP_ALIVE_MS = 10_000;
export const KEEP_ALIVE_TIMEOUT_MS = 5_000;
/** How long a client may take from accept to the end of its preface and SETTINGS, and a header block to be completed. */
export const HEAD_TIMEOUT_MS = 30_000;
/** Window and stream ids are 31 bits (RFC 9113 §6.9.1, §5.1.1). */
const MAX_31_BITS = 0x7fff_ffff;
/** Default of both initial windows (RFC 9113 §6.9.2). */
const DEFAULT_WINDOW_BYTES = 65_535;

const KEEP_ALIVE = 0;
const PING_ANSWER = 1;
const HEAD = 2;

/** Gets what concerns the connection as a whole. */
export interface Http2Owner {
  /** Server role: a request began; the owner sets `stream.listener` before it returns, or aborts the stream. */
  onRequest(connection: Http2Connection, stream: Http2Stream, head: HeaderBlock, end: boolean): void;
  /** No new streams: GOAWAY was received, or ids ran out. */
  onDraining(connection: Http2Connection): void;
  /** The last stream has ended. */
  onIdle(connection: Http2Connection): void;
  /** A stream may be opened again, or for the first time (the peer's SETTINGS are there). */
  onReady(connection: Http2Connection): void;
  /** The connection is gone, and all its streams have been told. */
  onClosed(connection: Http2Connection, detail: string): void;
}

export class Http2Connection implements SocketOwner, OutboxOwner, TimerOwner {
  readonly isServer: boolean;
  readonly mesh: boolean;
  readonly socket: RawSocket;
  stats: ConnectionStats | null;
  readonly outbox: Outbox;
  readonly owner: Http2Owner;
  readonly streams = new Map<number, Http2Stream>();
  readonly encoder = new HpackEncoder();
  /** Streams the peer allows us. Until its SETTINGS arrive we assume what every server allows. */
  peerMaxStreams = 100;
  peerInitialWindow = DEFAULT_WINDOW_BYTES;
  peerMaxFrame = MAX_FRAME_BYTES;
  /** The peer takes extended CONNECT (RFC 8441). */
  peerConnectProtocol = false;
  settingsReceived = false;
  sendWindow = DEFAULT_WINDOW_BYTES;
  recvWindow = CONNECTION_WINDOW_BYTES;
  recvCredit = 0;
  /** No new streams from us (client) or to us (server). */
  draining = false;
  closed = false;
  /** Id of the next stream we open (client role). */
  nextId = 1;
  readonly #reader: Http2Reader;
  /** Longest DATA frame we make, whatever the peer would take: keeps streams fair. */
  readonly #maxSent: number;
  #waiting: Http2Stream[] = [];
  #heard = false;
  readonly #keepAlive = new Timer(this, KEEP_ALIVE);
  readonly #pingAnswer = new Timer(this, PING_ANSWER);
  readonly #head = new Timer(this, HEAD);

  /**
   * @param socket connected socket; the connection becomes its owner
   * @param isServer we accept streams; otherwise we open them
   * @param mesh the peer is a sidecar: larger limits, keep-alive
   * @param owner told about requests and the end
   */
  constructor(socket: RawSocket, isServer: boolean, mesh: boolean, owner: Http2Owner) {
    this.socket = socket;
    this.isServer = isServer;
    this.mesh = mesh;
    this.owner = owner;
    this.outbox = new Outbox(socket, this);
    this.#reader = new Http2Reader(this);
    this.#maxSent = mesh ? MAX_MESH_FRAME_BYTES : MAX_FRAME_BYTES;
    this.stats = statsOf(socket);
    socket.data = this;
    this.#writePreface();
    if (mesh && !isServer) arm(this.#keepAlive, KEEP_ALIVE_MS);
    if (isServer) this.expectHead(true);
  }

  /** True while a new stream may be opened (client role). */
  get canOpen(): boolean {
    return !this.draining && !this.closed && this.streams.size < this.peerMaxStreams;
  }

  /** Opens a stream (client role); `canOpen` must hold. Nothing is sent until its head is. */
  open(): Http2Stream {
    const stream = new Http2Stream(this, this.nextId, this.peerInitialWindow, STREAM_WINDOW_BYTES);
    this.nextId += 2;
    this.streams.set(stream.id, stream);
    if (this.nextId > MAX_31_BITS) this.#drain();
    return stream;
  }

  // --- socket events

  onOpen(_socket: RawSocket): void {}

  onHandshake(_socket: RawSocket, _ok: boolean, _error: Error | null): void {}

  onConnectFailed(_error: Error): void {}

  onData(buffer: Buffer): void {
    this.#heard = true;
    this.#reader.read(buffer, 0, buffer.length);
    if (this.outbox.pending > MAX_OUTBOX_BYTES) this.fail(code.ENHANCE_YOUR_CALM, "peer does not read its answers");
  }

  onDrain(): void {
    this.outbox.onDrain();
  }

  onOutboxDrained(): void {
    this.pumpAll();
  }

  onEnd(): void {
    this.#lost("peer closed the connection");
    this.socket.end();
  }

  onClose(error: Error | null): void {
    this.#lost(error === null ? "connection closed" : error.message);
  }

  onTimer(kind: number): void {
    if (kind === HEAD) return this.fail(code.ENHANCE_YOUR_CALM, "header section took too long");
    if (this.#heard) {
      this.#heard = false;
      return arm(this.#keepAlive, KEEP_ALIVE_MS);
    }
    if (kind === PING_ANSWER) return this.fail(code.NO_ERROR, "no answer to PING");
    const sink = this.outbox.begin();
    this.#frame(8, frame.PING, 0, 0);
    sink.put4(0);
    sink.put4(0);
    arm(this.#pingAnswer, KEEP_ALIVE_TIMEOUT_MS);
  }

  // --- sending

  /** Sends a header section, split into CONTINUATIONs when it is long. */
  writeHeaders(streamId: number, head: HeaderBlock, end: boolean): void {
    const sink = this.outbox.begin();
    const at = sink.length;
    this.#frame(0, frame.HEADERS, frame.END_HEADERS | (end ? frame.END_STREAM : 0), streamId);
    this.encoder.encode(head, sink);
    const length = sink.length - at - frame.FRAME_HEADER_BYTES;
    if (length <= this.peerMaxFrame) frame.patchLength(sink, at, length);
    else frame.splitHeaders(sink, at, length, this.peerMaxFrame, streamId);
  }

  /**
   * Sends as much of the bytes as windows and room allow.
   *
   * @returns bytes taken; END_STREAM went with them when `fin` and all (at least one) were
   */
  writeData(stream: Http2Stream, buffer: Uint8Array, start: number, end: number, fin: boolean): number {
    let from = start;
    while (from < end && this.outbox.hasRoom) {
      const n = Math.min(end - from, stream.sendWindow, this.sendWindow, this.peerMaxFrame, this.#maxSent);
      if (n <= 0) break;
      const sink = this.outbox.begin();
      const last = fin && from + n === end;
      this.#frame(n, frame.DATA, last ? frame.END_STREAM : 0, stream.id);
      sink.append(buffer, from, from + n);
      stream.sendWindow -= n;
      this.sendWindow -= n;
      from += n;
    }
    return from - start;
  }

  /** Sends an empty DATA frame with END_STREAM. Returns false when the connection is gone. */
  writeEnd(streamId: number): boolean {
    if (this.closed) return false;
    this.outbox.begin();
    this.#frame(0, frame.DATA, frame.END_STREAM, streamId);
    return true;
  }

  /** Returns credit for a stream once half its window has been forwarded. */
  creditStream(stream: Http2Stream): void {
    if (stream.credit < STREAM_WINDOW_BYTES >> 1) return;
    this.#windowUpdate(stream.id, stream.credit);
    stream.recvWindow += stream.credit;
    stream.credit = 0;
  }

  /** Returns credit for the connection once half its window has been received, while the process has room. */
  creditConnection(bytes: number): void {
    this.recvCredit += bytes;
    if (this.recvCredit < CONNECTION_WINDOW_BYTES >> 1 || !queuedBytes.hasRoom) return;
    this.#windowUpdate(0, this.recvCredit);
    this.recvWindow += this.recvCredit;
    this.recvCredit = 0;
  }

  /** Answers SETTINGS, after what they say has been applied. */
  acknowledgeSettings(): void {
    this.outbox.begin();
    this.#frame(0, frame.SETTINGS, frame.ACK, 0);
    this.encoder.setMaxTableSize(this.#reader.peerTableBytes);
    if (!this.settingsReceived) {
      this.settingsReceived = true;
      this.expectHead(false);
    }
    this.owner.onReady(this);
  }

  /** Answers a PING. */
  acknowledgePing(buffer: Uint8Array, start: number): void {
    const sink = this.outbox.begin();
    this.#frame(8, frame.PING, frame.ACK, 0);
    sink.append(buffer, start, start + 8);
  }

  /** Starts or stops the clock of a header section that is not complete. */
  expectHead(pending: boolean): void {
    if (pending) arm(this.#head, HEAD_TIMEOUT_MS);
    else disarm(this.#head);
  }

  // --- streams

  /** Puts a stream on the list of those that wait for a window or room. */
  wait(stream: Http2Stream): void {
    if (stream.waiting) return;
    stream.waiting = true;
    this.#waiting.push(stream);
  }

  /** Lets waiting streams send, in the order in which they began to wait, as far as there is room. */
  pumpAll(): void {
    const list = this.#waiting;
    if (list.length === 0) return;
    let kept = 0;
    for (let i = 0; i < list.length; i++) {
      const stream = list[i] as Http2Stream; // in range
      if (this.sendWindow > 0 && this.outbox.hasRoom ? stream.pump() : stream.closed) stream.waiting = false;
      else list[kept++] = stream;
    }
    list.length = kept;
    // The head of the list gets the room first next time; rotate so that nobody starves.
    if (kept > 1) list.push(list.shift() as Http2Stream); // kept > 1
  }

  /** Ends a stream with RST_STREAM. Its listener is not told. */
  resetStream(stream: Http2Stream, h2Code: number): void {
    if (stream.closed) return;
    const sink = this.outbox.begin();
    this.#frame(4, frame.RST_STREAM, 0, stream.id);
    sink.put4(h2Code);
    this.#reader.rememberReset(stream.id);
    this.finishStream(stream);
  }

  /** Refuses a stream that was never made known to anybody. */
  refuse(streamId: number, h2Code: number): void {
    const sink = this.outbox.begin();
    this.#frame(4, frame.RST_STREAM, 0, streamId);
    sink.put4(h2Code);
    this.#reader.rememberReset(streamId);
  }

  /** Forgets a stream whose two directions have ended. */
  finishStream(stream: Http2Stream): void {
    stream.forget();
    this.streams.delete(stream.id);
    if (this.streams.size === 0) this.#idle();
    else if (!this.isServer && this.streams.size === this.peerMaxStreams - 1) this.owner.onReady(this);
  }

  /** The peer reset a stream, or it broke the rules: tells the listener. */
  abortStream(stream: Http2Stream, h2Code: number, unprocessed: boolean, detail: string): void {
    const { listener } = stream;
    stream.listener = null;
    this.finishStream(stream);
    listener?.onAbort(stream, h2Code, unprocessed, detail);
  }

  // --- end

  /** Lets streams finish, takes no new ones, then closes. */
  shutdown(): void {
    if (this.closed || (this.draining && this.isServer)) return;
    this.#goAway(code.NO_ERROR, this.isServer ? this.#reader.lastPeerId : 0);
    this.draining = true;
    if (this.streams.size === 0) this.#idle();
  }

  /** The peer announced GOAWAY: streams above `lastId` were not processed. */
  goAwayReceived(lastId: number): void {
    if (!this.isServer) {
      for (const stream of [...this.streams.values()]) {
        if (stream.id > lastId) this.abortStream(stream, code.REFUSED_STREAM, true, "peer is going away");
      }
    }
    this.#drain();
    if (this.streams.size === 0) this.#idle();
  }

  /** Closes because the peer broke the protocol (or is silent): GOAWAY with the code, then the end for all streams. */
  fail(h2Code: number, detail: string): void {
    if (this.closed) return;
    this.#goAway(h2Code, this.#reader.lastPeerId);
    this.outbox.flush();
    this.#lost(detail);
    this.outbox.endWhenFlushed();
    if (h2Code !== code.NO_ERROR || this.outbox.pending > 0) this.socket.end();
  }

  #drain(): void {
    if (this.draining) return;
    this.draining = true;
    this.owner.onDraining(this);
  }

  #idle(): void {
    if (this.closed) return;
    if (this.draining) {
      this.#lost("drained");
      this.outbox.flush();
      this.outbox.endWhenFlushed();
    } else this.owner.onIdle(this);
  }

  #lost(detail: string): void {
    if (this.closed) return;
    this.closed = true;
    this.draining = true;
    disarm(this.#keepAlive);
    disarm(this.#pingAnswer);
    disarm(this.#head);
    for (const stream of [...this.streams.values()]) {
      const { listener } = stream;
      stream.listener = null;
      stream.forget();
      listener?.onAbort(stream, code.INTERNAL_ERROR, false, detail);
    }
    this.streams.clear();
    this.#waiting.length = 0;
    this.owner.onClosed(this, detail);
  }

  #goAway(h2Code: number, lastId: number): void {
    const sink = this.outbox.begin();
    this.#frame(8, frame.GOAWAY, 0, 0);
    sink.put4(lastId);
    sink.put4(h2Code);
  }

  #windowUpdate(streamId: number, bytes: number): void {
    const sink = this.outbox.begin();
    this.#frame(4, frame.WINDOW_UPDATE, 0, streamId);
    sink.put4(bytes);
  }

  #frame(length: number, type: number, flags: number, streamId: number): void {
    frame.putFrameHeader(this.outbox.sink, length, type, flags, streamId);
  }

  #writePreface(): void {
    const sink = this.outbox.begin();
    if (!this.isServer) sink.append(PREFACE, 0, PREFACE.length);
    const maxStreams = this.isServer ? (this.mesh ? MAX_MESH_STREAMS : MAX_STREAMS) : 0;
    frame.putSettings(sink, [
      [frame.SETTINGS_HEADER_TABLE_SIZE, HPACK_TABLE_BYTES],
      [frame.SETTINGS_ENABLE_PUSH, this.isServer ? -1 : 0],
      [frame.SETTINGS_MAX_CONCURRENT_STREAMS, this.isServer ? maxStreams : -1],
      [frame.SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW_BYTES],
      [frame.SETTINGS_MAX_FRAME_SIZE, this.#maxSent],
      [frame.SETTINGS_MAX_HEADER_LIST_SIZE, MAX_HEADER_LIST_BYTES],
      [frame.SETTINGS_ENABLE_CONNECT_PROTOCOL, this.isServer ? 1 : -1],
    ]);
    this.#windowUpdate(0, CONNECTION_WINDOW_BYTES - DEFAULT_WINDOW_BYTES);
  }
}
