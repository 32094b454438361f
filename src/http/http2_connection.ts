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
import { HpackEncoder } from "../wire/hpack/encoder.ts";
import * as code from "../wire/http2/error_code.ts";
import { DEFAULT_WINDOW_BYTES } from "../wire/http2/flow_control.ts";
import * as frame from "../wire/http2/frame_type.ts";
import {
  writeEndStream,
  writeGoAway,
  writeHeaderSection,
  writePing,
  writeRstStream,
  writeWindowUpdate,
} from "./http2_frames.ts";
import { IdleConnection } from "./idle_connections.ts";
import { Http2KeepAlive } from "./http2_keep_alive.ts";
import type { Http2Owner } from "./http2_owner.ts";
import { Http2Reader } from "./http2_reader.ts";
import { putPreface } from "./http2_settings.ts";
import { Http2Stream } from "./http2_stream.ts";
import {
  CONNECTION_WINDOW_BYTES,
  HEAD_TIMEOUT_MS,
  MAX_FRAME_BYTES,
  MAX_MESH_FRAME_BYTES,
  MAX_OUTBOX_BYTES,
  MESH_OUTBOX_FACTOR,
} from "./limits.ts";
import { ReceiveWindows } from "./receive_windows.ts";
import type { Refusal } from "./refusal.ts";
import { BLAME, COMMON_SHARE, type HeldConnection, type PeerShare } from "./waiting_budget.ts";
import { StreamTable } from "./stream_table.ts";
import { WaitingStreams } from "./waiting_streams.ts";

/** How long a client may take to acknowledge that we are going away, before its later requests are refused. */
export const GOAWAY_GRACE_MS = 1_000;
/** Window and stream ids are 31 bits (RFC 9113 §6.9.1, §5.1.1). */
const MAX_31_BITS = 0x7fff_ffff;

const HEAD = 0;
/** How long a client that has announced its end may take to close. */
const PEER_LEAVING_MS = 2_000;
const GRACE = 1;
/** What the PING behind a first GOAWAY carries; those that keep alive carry 0. */
const GOAWAY_PING = 1;

// long-file: what reading, sending and ending share is the state of one connection
export class Http2Connection extends IdleConnection implements SocketOwner, OutboxOwner, TimerOwner, HeldConnection {
  readonly isServer: boolean;
  readonly mesh: boolean;
  readonly socket: RawSocket;
  stats: ConnectionStats | null;
  readonly outbox: Outbox;
  readonly owner: Http2Owner;
  /** Counts what waits for the peer. */
  readonly share: PeerShare;
  readonly streams = new StreamTable<Http2Stream>();
  readonly encoder = new HpackEncoder();
  /** What the peer may send. */
  readonly windows: ReceiveWindows;
  /** Streams the peer allows us. Until its SETTINGS arrive we assume what every server allows. */
  peerMaxStreams = 100;
  peerInitialWindow = DEFAULT_WINDOW_BYTES;
  peerMaxFrame = MAX_FRAME_BYTES;
  /** The peer takes extended CONNECT (RFC 8441). */
  peerConnectProtocol = false;
  settingsReceived = false;
  sendWindow = DEFAULT_WINDOW_BYTES;
  recvCredit = 0;
  heldBytes = 0;
  /** No new streams from us (client) or to us (server). */
  draining = false;
  closed = false;
  /** Id of the next stream we open (client role). */
  nextId = 1;
  readonly #reader: Http2Reader;
  /** Longest DATA frame we make, whatever the peer would take: keeps streams fair. */
  readonly #maxSent: number;
  readonly #waiting = new WaitingStreams();
  readonly #keepAlive = new Http2KeepAlive(this);
  readonly #head = new Timer(this, HEAD);
  readonly #grace = new Timer(this, GRACE);
  #leaving = false;
  #pumpDue = false;

  /**
   * @param socket connected socket; the connection becomes its owner
   * @param isServer we accept streams; otherwise we open them
   * @param mesh the peer is a sidecar: larger limits, keep-alive
   * @param owner told about requests and the end
   * @param share counts what waits for the peer
   */
  constructor(
    socket: RawSocket,
    isServer: boolean,
    mesh: boolean,
    owner: Http2Owner,
    share: PeerShare = COMMON_SHARE,
  ) {
    super();
    this.socket = socket;
    this.isServer = isServer;
    this.mesh = mesh;
    this.owner = owner;
    this.share = share;
    this.outbox = new Outbox(socket, this, share, BLAME.shared);
    this.windows = new ReceiveWindows(this);
    this.#reader = new Http2Reader(this);
    this.#maxSent = mesh ? MAX_MESH_FRAME_BYTES : MAX_FRAME_BYTES;
    this.stats = statsOf(socket);
    socket.data = this;
    putPreface(this.outbox.begin(), isServer, mesh);
    if (mesh && !isServer) this.#keepAlive.start();
    if (isServer) this.expectHead(true);
  }

  /** True while a new stream may be opened (client role). */
  get canOpen(): boolean {
    return !this.draining && !this.closed && this.streams.size < this.peerMaxStreams;
  }

  /** Opens a stream (client role); `canOpen` must hold. Nothing is sent until its head is. */
  open(): Http2Stream {
    const stream = new Http2Stream(this, this.nextId, this.peerInitialWindow, this.windows.first);
    this.nextId += 2;
    this.streams.add(stream);
    if (this.nextId > MAX_31_BITS) this.#drain();
    return stream;
  }

  // --- socket events

  onData(buffer: Buffer): void {
    this.#keepAlive.heard = true;
    this.#reader.read(buffer, 0, buffer.length);
    if (this.#pumpDue) this.pumpAll();
    const most = this.mesh ? MAX_OUTBOX_BYTES * MESH_OUTBOX_FACTOR : MAX_OUTBOX_BYTES;
    if (this.outbox.pending > most) this.calm("answers_unread", "peer does not read its answers");
  }

  onDrain(): void {
    this.outbox.onDrain();
  }

  onOutboxDrained(): void {
    this.pumpAll();
  }

  onOutboxStuck(): void {
    this.dead("the peer does not read");
  }

  onEnd(): void {
    if (this.isServer) this.outbox.flush(); // answers of this turn; requests would meet nobody
    this.#lost("peer closed the connection");
    this.outbox.close();
    this.socket.end();
  }

  onClose(error: Error | null): void {
    this.outbox.close();
    this.#lost(error === null ? "connection closed" : error.message);
  }

  onTimer(kind: number): void {
    if (kind === GRACE) return this.#lastGoAway();
    this.calm("head_timeout", "header section took too long");
  }

  // --- sending

  /** Sends a header section, split into CONTINUATIONs when it is long. */
  writeHeaders(streamId: number, head: HeaderBlock, end: boolean): void {
    writeHeaderSection(this.outbox, this.encoder, streamId, head, end, this.peerMaxFrame);
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
      frame.putFrameHeader(sink, n, frame.DATA, last ? frame.END_STREAM : 0, stream.id);
      sink.append(buffer, from, from + n);
      stream.sendWindow -= n;
      this.sendWindow -= n;
      from += n;
      this.#reader.sentData();
    }
    return from - start;
  }

  /** Sends an empty DATA frame with END_STREAM. Returns false when the connection is gone. */
  writeEnd(streamId: number): boolean {
    if (this.closed) return false;
    writeEndStream(this.outbox, streamId);
    return true;
  }

  /** Returns credit for the connection once half its window has been received. It is never held back: it is all streams'. */
  creditConnection(bytes: number): void {
    this.recvCredit += bytes;
    if (this.recvCredit < CONNECTION_WINDOW_BYTES >> 1) return;
    writeWindowUpdate(this.outbox, 0, this.recvCredit);
    this.recvCredit = 0;
  }

  /** The peer has answered a PING, whose payload ends in these 32 bits. */
  pingAnswered(payload: number): void {
    if (payload === GOAWAY_PING && this.#grace.tick >= 0) this.#lastGoAway();
  }

  /** Starts or stops the clock of a header section that is not complete. */
  expectHead(pending: boolean): void {
    if (pending) {
      arm(this.#head, HEAD_TIMEOUT_MS);
      this.#rest();
    } else disarm(this.#head);
  }

  // --- streams

  /** Streams that wait for a window or room. */
  get waitingStreams(): number {
    return this.#waiting.length;
  }

  /** Puts a stream on the list of those that wait for a window or room. */
  wait(stream: Http2Stream): void {
    this.#waiting.add(stream);
  }

  /** True while DATA may be sent as far as the connection is concerned. */
  get mayWrite(): boolean {
    return this.sendWindow > 0 && this.outbox.hasRoom;
  }

  /** Lets them send once what was received has been read: a flood of credit costs one walk over them, not one a frame. */
  pumpSoon(): void {
    this.#pumpDue = true;
  }

  /** Lets waiting streams send as far as there is room. */
  pumpAll(): void {
    this.#pumpDue = false;
    this.#waiting.pump(this);
  }

  /** Ends a stream with RST_STREAM. Its listener is not told. */
  resetStream(stream: Http2Stream, h2Code: number): void {
    if (stream.closed) return;
    writeRstStream(this.outbox, stream.id, h2Code);
    this.#reader.resets.add(stream.id);
    if (!this.isServer) this.#reader.sentReset();
    this.finishStream(stream);
  }

  /** Refuses a stream that was never made known to anybody. */
  refuse(streamId: number, h2Code: number): void {
    writeRstStream(this.outbox, streamId, h2Code);
    this.#reader.resets.add(streamId);
  }

  /** Forgets a stream whose two directions have ended. */
  finishStream(stream: Http2Stream): void {
    stream.forget();
    this.streams.delete(stream.id);
    if (stream.waiting) this.#waiting.ended();
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

  /** Ends a stream whose receiver does not take what waits for it, and tells its listener. */
  endStuck(stream: Http2Stream): void {
    const { listener } = stream;
    stream.listener = null;
    this.resetStream(stream, code.ENHANCE_YOUR_CALM);
    listener?.onAbort(stream, code.ENHANCE_YOUR_CALM, false, "its receiver does not read");
  }

  /** A client has begun a stream. */
  accepted(stream: Http2Stream): void {
    if (this.streams.size === 0) this.share.idle.delete(this);
    this.streams.add(stream);
  }

  closeIdle(): boolean {
    if (this.outbox.pending > 0) return false;
    this.#goAway(code.NO_ERROR, "idle for longest, and there was no room for another");
    this.socket.end();
    return true;
  }

  /** Idle from now on. A header section that is not complete is no request yet, and as good as a new beginning. */
  #rest(): void {
    if (this.isServer && !this.closed && this.streams.size === 0) this.share.idle.add(this);
  }

  // --- end

  /**
   * Lets streams finish, then closes. Requests that are under way while the client learns of it are still served: the
   * first GOAWAY names no last stream, the second follows when the client has seen the first (RFC 9113 §6.8).
   */
  shutdown(_patient = true): void {
    if (this.closed || this.#leaving) return;
    this.#leaving = true;
    if (!this.isServer) {
      writeGoAway(this.outbox, 0, code.NO_ERROR);
      this.draining = true;
      if (this.streams.size === 0) this.#idle();
      return;
    }
    writeGoAway(this.outbox, MAX_31_BITS, code.NO_ERROR);
    writePing(this.outbox, GOAWAY_PING);
    arm(this.#grace, GOAWAY_GRACE_MS);
  }

  #lastGoAway(): void {
    disarm(this.#grace);
    if (this.closed) return;
    writeGoAway(this.outbox, this.#reader.lastPeerId, code.NO_ERROR);
    this.draining = true;
    if (this.streams.size === 0) this.#idle();
  }

  /** The peer announced GOAWAY: streams above `lastId` were not processed. */
  goAwayReceived(lastId: number): void {
    this.#drain(); // first: what is aborted now must not be tried again here
    if (!this.isServer) {
      for (const stream of this.streams.values()) {
        if (stream.id <= lastId || stream.closed) continue;
        this.#reader.resets.add(stream.id);
        this.abortStream(stream, code.REFUSED_STREAM, true, "peer is going away");
      }
    }
    if (this.streams.size > 0) return;
    // A client that is going away closes by itself; closing first would answer what it still sends with a reset.
    if (this.isServer) arm(this.#grace, PEER_LEAVING_MS);
    else this.#idle();
  }

  /** Closes because the peer makes more work, or uses more memory, than it may. */
  calm(reason: Refusal, detail: string): void {
    this.fail(code.ENHANCE_YOUR_CALM, detail, reason);
  }

  /** Closes because of what the peer did: GOAWAY with the code and the detail (ASCII), then the end for all streams. */
  fail(h2Code: number, detail: string, reason: Refusal = "protocol_error"): void {
    if (this.closed) return;
    this.owner.onRefused(this, reason, detail);
    this.#goAway(h2Code, detail);
    this.socket.end();
  }

  #goAway(h2Code: number, detail: string): void {
    writeGoAway(this.outbox, this.#reader.lastPeerId, h2Code, detail);
    this.outbox.flush();
    this.#lost(detail);
    this.outbox.close(); // a peer that does not read is not waited for
  }

  /** Closes because the peer is gone without a word. */
  dead(detail: string): void {
    this.#lost(detail);
    this.outbox.close();
    this.socket.terminate();
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
    } else {
      this.#rest();
      this.owner.onIdle(this);
    }
  }

  #lost(detail: string): void {
    if (this.closed) return;
    this.closed = true;
    this.draining = true;
    this.#keepAlive.stop();
    this.share.idle.delete(this);
    this.windows.close();
    this.#reader.release();
    disarm(this.#head);
    disarm(this.#grace);
    // A server that takes a connection says SETTINGS first (RFC 9113 §3.4); one that leaves has the kernel reset the others.
    const isUnheard = !this.isServer && !this.settingsReceived;
    for (const stream of this.streams.values()) {
      const isUnseen = isUnheard || (!this.isServer && stream.isUnsent);
      const { listener } = stream;
      stream.listener = null;
      stream.forget();
      listener?.onAbort(stream, isUnseen ? code.REFUSED_STREAM : code.INTERNAL_ERROR, isUnseen, detail);
    }
    this.streams.clear();
    this.#waiting.clear();
    this.owner.onClosed(this, detail);
  }
}
