/**
 * The receiving half of an HTTP/2 connection: bytes → frames → events on streams, in place.
 *
 * Every frame is checked against RFC 9113 before it changes anything; a breach ends the stream or the connection with
 * the code the RFC names.
 */
import * as code from "../wire/http2/error_code.ts";
import * as frame from "../wire/http2/frame_type.ts";
import { PREFACE } from "../wire/http2/preface.ts";
import { frameLength, read31 } from "./_read.ts";
import { ControlBudget } from "./control_budget.ts";
import type { Http2Connection } from "./http2_connection.ts";
import { onGoAway, onPing, onPriority, onRstStream, onSettings, onWindowUpdate } from "./http2_control.ts";
import { SectionReader } from "./http2_sections.ts";
import type { Http2Stream } from "./http2_stream.ts";
import {
  MAX_COLLECTED_FRAME_BYTES,
  MAX_FRAME_BYTES,
  MAX_MESH_FRAME_BYTES,
  MAX_MESH_STREAMS,
  MAX_STREAMS,
} from "./limits.ts";
import { BLAME, type Holder, type Holding } from "./waiting_budget.ts";
import { RecentResets } from "./recent_resets.ts";

/** "HTT" of "HTTP/1.1 400", read as the length of a frame. */
const HTTP1_LENGTH = 0x485454;
const FRAME_HEADER = frame.FRAME_HEADER_BYTES;
const EMPTY = new Uint8Array(0);
/** Parts of frames from here on count as waiting. */
const MIN_COUNTED_BYTES = 1024;
const TOO_MANY = "too many frames without data";
const clock = () => performance.now();

export class Http2Reader implements Holder {
  /** Highest stream id of the peer that we took. */
  lastPeerId = 0;
  readonly connection: Http2Connection;
  readonly resets: RecentResets;
  readonly #budget: ControlBudget;
  readonly #maxFrame: number;
  readonly #sections = new SectionReader(this);
  #prefaceLeft: number;
  #sawSettings = false;
  // The frame being received, when it is split over reads.
  #partial: Uint8Array | null = null;
  #partialLength = 0;
  /** Set while more than a little of them waits. */
  #holding: Holding | null = null;
  // DATA that is passed on while it arrives.
  #dataLeft = 0;
  #dataEnds = false;
  #dataStream: Http2Stream | null = null;

  constructor(connection: Http2Connection) {
    this.connection = connection;
    this.#budget = new ControlBudget(connection.mesh);
    this.resets = new RecentResets(2 * (connection.mesh ? MAX_MESH_STREAMS : MAX_STREAMS));
    this.#maxFrame = connection.mesh ? MAX_MESH_FRAME_BYTES : MAX_FRAME_BYTES;
    this.#prefaceLeft = connection.isServer ? PREFACE.length : 0;
  }

  /** Handles bytes from the socket; stops when the connection is closed. */
  read(buffer: Uint8Array, start: number, end: number): void {
    let at = start;
    if (this.#prefaceLeft > 0) at = this.#readPreface(buffer, at, end);
    const connection = this.connection;
    while (at < end && !connection.closed) {
      if (this.#dataLeft > 0) at = this.#readData(buffer, at, end);
      else if (this.#partial !== null) at = this.#complete(buffer, at, end);
      else if (end - at < FRAME_HEADER) {
        this.#keep(buffer, at, end, FRAME_HEADER);
        return;
      } else at = this.#frame(buffer, at, end);
    }
  }

  #readPreface(buffer: Uint8Array, start: number, end: number): number {
    let at = start;
    while (at < end && this.#prefaceLeft > 0) {
      if (buffer[at++] !== PREFACE[PREFACE.length - this.#prefaceLeft]) {
        this.connection.fail(code.PROTOCOL_ERROR, "connection preface is not HTTP/2's");
        return end;
      }
      this.#prefaceLeft--;
    }
    return at;
  }

  /** The connection is gone, or must give up what it holds. */
  release(): void {
    this.#partial = null;
    this.#sections.release();
    this.count();
  }

  onHeldTooLong(): void {
    this.release();
    this.connection.calm("memory_share", "frames that are not completed");
  }

  /** Says what waits for the rest of a frame, or of a header block. Short frames that a read has split are not worth it. */
  count(): void {
    const partial = this.#partial === null || this.#partial.length < MIN_COUNTED_BYTES ? 0 : this.#partial.length;
    const bytes = partial + this.#sections.heldBytes;
    if (bytes > 0) (this.#holding ??= this.connection.share.hold(this, this.connection)).set(bytes, BLAME.own);
    else if (this.#holding !== null) {
      this.#holding.release();
      this.#holding = null;
    }
  }

  #keep(buffer: Uint8Array, start: number, end: number, size: number): void {
    const partial = new Uint8Array(size);
    partial.set(buffer.subarray(start, end));
    this.#partial = partial;
    this.#partialLength = end - start;
    if (size >= MIN_COUNTED_BYTES) this.count();
  }

  /** Adds bytes to a split frame, first its header, then its payload; handles it when it is whole. */
  #complete(buffer: Uint8Array, start: number, end: number): number {
    let partial = this.#partial as Uint8Array; // checked by the caller
    const n = Math.min(partial.length - this.#partialLength, end - start);
    partial.set(buffer.subarray(start, start + n), this.#partialLength);
    this.#partialLength += n;
    if (this.#partialLength < partial.length) return start + n;
    if (partial.length === FRAME_HEADER) {
      const length = frameLength(partial, 0);
      if (length > this.#maxFrame || (length > MAX_COLLECTED_FRAME_BYTES && !isPlainData(partial, 0))) {
        return this.#tooLong(length, end);
      }
      if (length > 0 && !isPlainData(partial, 0)) {
        partial = new Uint8Array(FRAME_HEADER + length);
        partial.set(this.#partial as Uint8Array); // as above
        this.#partial = partial;
        if (length >= MIN_COUNTED_BYTES) this.count();
        return start + n;
      }
    }
    this.#partial = null;
    if (this.#holding !== null) this.count();
    this.#frame(partial, 0, partial.length);
    return start + n;
  }

  #tooLong(length: number, end: number): number {
    const detail = length === HTTP1_LENGTH
      ? "the answer is HTTP/1: no HTTP/2 is spoken there"
      : `frame of ${length} bytes`;
    this.connection.fail(code.FRAME_SIZE_ERROR, detail);
    return end;
  }

  /** Handles the frame at `start`, of which at least the header is there; returns where the next one begins. */
  #frame(buffer: Uint8Array, start: number, end: number): number {
    const length = frameLength(buffer, start);
    if (length > this.#maxFrame) return this.#tooLong(length, end);
    const type = buffer[start + 3] as number; // the header is there
    const flags = buffer[start + 4] as number; // as above
    const id = read31(buffer, start + 5);
    const payload = start + FRAME_HEADER;
    if (this.#sections.continued !== 0 && (type !== frame.CONTINUATION || id !== this.#sections.continued)) {
      this.connection.fail(code.PROTOCOL_ERROR, "header block interrupted by another frame");
      return end;
    }
    if (!this.#sawSettings) {
      if (type !== frame.SETTINGS || (flags & frame.ACK) !== 0) {
        this.connection.fail(code.PROTOCOL_ERROR, "first frame is not SETTINGS");
        return end;
      }
      this.#sawSettings = true;
    }
    if (type === frame.DATA && (flags & frame.PADDED) === 0) {
      this.#beginData(id, length, length, (flags & frame.END_STREAM) !== 0);
      return payload;
    }
    if (length > MAX_COLLECTED_FRAME_BYTES) return this.#tooLong(length, end);
    if (end - payload < length) {
      this.#keep(buffer, start, end, FRAME_HEADER + length);
      return end;
    }
    this.#whole(buffer, payload, length, type, flags, id);
    return payload + length;
  }

  #whole(buffer: Uint8Array, at: number, length: number, type: number, flags: number, id: number): void {
    switch (type) {
      case frame.DATA:
        return this.#paddedData(buffer, at, length, flags, id);
      case frame.HEADERS:
        return this.#sections.onHeaders(buffer, at, length, flags, id);
      case frame.CONTINUATION:
        return this.#sections.onContinuation(buffer, at, length, flags, id);
      case frame.WINDOW_UPDATE:
        return onWindowUpdate(this, buffer, at, length, id);
      case frame.RST_STREAM:
        return onRstStream(this, buffer, at, length, id);
      case frame.SETTINGS:
        return onSettings(this, buffer, at, length, flags, id);
      case frame.PING:
        return onPing(this, buffer, at, length, flags, id);
      case frame.GOAWAY:
        return onGoAway(this, buffer, at, length, id);
      case frame.PRIORITY:
        return onPriority(this, buffer, at, length, id);
      case frame.PUSH_PROMISE:
        return this.connection.fail(code.PROTOCOL_ERROR, "PUSH_PROMISE was not asked for");
      default:
        this.spend(); // unknown types are ignored (RFC 9113 §4.1), not free
    }
  }

  /** Counts a frame that makes work without carrying data, or as many as its work is worth; false when they are too many. */
  spend(frames = 1): boolean {
    if (this.#budget.take(clock, frames)) return true;
    this.connection.calm("flood", TOO_MANY);
    return false;
  }

  /** The same for a frame with which a receiver of data answers it. */
  spendAnswer(): boolean {
    if (this.#budget.takeAnswer(clock)) return true;
    this.connection.calm("flood", TOO_MANY);
    return false;
  }

  /** A DATA frame was sent: its receiver may answer. */
  sentData(): void {
    this.#budget.earn();
  }

  /** We cancelled a request: its answer may be under way. */
  sentReset(): void {
    this.#budget.earn();
  }

  // --- DATA

  #paddedData(buffer: Uint8Array, at: number, length: number, flags: number, id: number): void {
    if (length < 1) return this.connection.fail(code.FRAME_SIZE_ERROR, "padded DATA without a pad length");
    const pad = buffer[at] as number; // length ≥ 1
    if (pad >= length) return this.connection.fail(code.PROTOCOL_ERROR, "padding longer than the frame");
    const bytes = length - 1 - pad;
    const stream = this.connection.streams.get(id);
    this.#beginData(id, length, bytes, (flags & frame.END_STREAM) !== 0);
    if (bytes > 0 && !this.connection.closed) this.#readData(buffer, at + 1, at + 1 + bytes);
    stream?.consumed(length - bytes); // nobody else knows of the padding
  }

  /** Accounts for a DATA frame of `length` bytes on the wire, `bytes` of them body, and prepares to pass them on. */
  #beginData(id: number, length: number, bytes: number, ends: boolean): void {
    const connection = this.connection;
    if (id === 0) return connection.fail(code.PROTOCOL_ERROR, "DATA on stream 0");
    if (bytes === 0 && !ends && !this.spend()) return; // padding is no data
    connection.creditConnection(length);
    this.#dataLeft = bytes;
    this.#dataEnds = ends;
    this.#dataStream = this.#streamForData(id, length, bytes, ends);
    if (bytes === 0) this.#dataDone();
  }

  #streamForData(id: number, length: number, bytes: number, ends: boolean): Http2Stream | null {
    const connection = this.connection;
    const stream = connection.streams.get(id);
    if (stream === undefined) {
      if (this.isIdle(id)) connection.fail(code.PROTOCOL_ERROR, "DATA on an idle stream");
      else if (!this.resets.has(id)) connection.fail(code.STREAM_CLOSED, "DATA on a closed stream");
      else if (length === 0) this.spend();
      return null;
    }
    if (stream.recvEnd) return this.streamError(stream, code.STREAM_CLOSED, "DATA after END_STREAM");
    if (!stream.headReceived) return this.streamError(stream, code.PROTOCOL_ERROR, "DATA before the head");
    stream.recvWindow -= length;
    if (stream.recvWindow < 0 && length > 0) {
      return this.streamError(stream, code.FLOW_CONTROL_ERROR, "stream window exceeded");
    }
    if (stream.bodyLeft >= 0) {
      stream.bodyLeft -= bytes;
      if (stream.bodyLeft < 0 || (ends && stream.bodyLeft > 0)) {
        return this.streamError(stream, code.PROTOCOL_ERROR, "body does not have the length it announced");
      }
    }
    return stream;
  }

  #readData(buffer: Uint8Array, start: number, end: number): number {
    const n = Math.min(this.#dataLeft, end - start);
    this.#dataLeft -= n;
    const stream = this.#dataStream;
    const last = this.#dataLeft === 0;
    if (last) this.#dataStream = null;
    if (stream !== null && !stream.closed) {
      const fin = last && this.#dataEnds;
      const { listener } = stream;
      if (fin) this.received(stream);
      listener?.onData(stream, buffer, start, start + n, fin);
    }
    return start + n;
  }

  #dataDone(): void {
    const stream = this.#dataStream;
    this.#dataStream = null;
    if (stream === null || stream.closed || !this.#dataEnds) return;
    const { listener } = stream;
    this.received(stream);
    listener?.onData(stream, EMPTY, 0, 0, true);
  }

  // --- streams

  /** END_STREAM received; the caller tells the listener afterwards. */
  received(stream: Http2Stream): void {
    stream.recvEnd = true;
    if (stream.sendEnd) this.connection.finishStream(stream);
  }

  /** Ends a stream on which the peer broke a rule, and tells its listener. */
  streamError(stream: Http2Stream, h2Code: number, detail: string): null {
    const { listener } = stream;
    stream.listener = null;
    this.connection.resetStream(stream, h2Code);
    listener?.onAbort(stream, h2Code, false, detail);
    if (this.connection.isServer) this.spend();
    return null;
  }

  /** True for a stream that was never opened. */
  isIdle(id: number): boolean {
    if (this.connection.isServer) return (id & 1) === 0 || id > this.lastPeerId;
    return (id & 1) === 0 || id >= this.connection.nextId;
  }
}

function isPlainData(buffer: Uint8Array, at: number): boolean {
  return buffer[at + 3] === frame.DATA && ((buffer[at + 4] as number) & frame.PADDED) === 0; // the header is there
}
