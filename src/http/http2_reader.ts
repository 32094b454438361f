/**
 * The receiving half of an HTTP/2 connection: bytes → frames → events on streams, in place.
 *
 * Every frame is checked against RFC 9113 before it changes anything; a breach ends the stream or the connection with
 * the code the RFC names.
 */
import { HpackDecoder, MALFORMED, REQUEST, RESPONSE, TOO_LARGE, TRAILERS } from "../wire/hpack/decoder.ts";
import { type HeaderBlock, headerBlock } from "../wire/header_block.ts";
import * as code from "../wire/http2/error_code.ts";
import * as frame from "../wire/http2/frame_type.ts";
import { PREFACE } from "../wire/http2/preface.ts";
import { ControlBudget } from "./control_budget.ts";
import type { Http2Connection } from "./http2_connection.ts";
import { applySettings } from "./http2_settings.ts";
import { Http2Stream } from "./http2_stream.ts";
import {
  HPACK_TABLE_BYTES,
  MAX_CONTINUATIONS,
  MAX_FRAME_BYTES,
  MAX_HEADER_BLOCK_BYTES,
  MAX_HEADER_FIELDS,
  MAX_HEADER_LIST_BYTES,
  MAX_MESH_FRAME_BYTES,
  MAX_MESH_STREAMS,
  MAX_STREAMS,
  STREAM_WINDOW_BYTES,
} from "./limits.ts";

const MAX_31_BITS = 0x7fff_ffff;
/** Streams we reset lately, whose frames may still be under way and are not the peer's fault (RFC 9113 §5.4.2). */
const REMEMBERED_RESETS = 256;
const FRAME_HEADER = frame.FRAME_HEADER_BYTES;
const clock = () => performance.now();

export class Http2Reader {
  /** Highest stream id of the peer that we took. */
  lastPeerId = 0;
  /** SETTINGS_HEADER_TABLE_SIZE of the peer: how much table our encoder may use. */
  peerTableBytes = HPACK_TABLE_BYTES;
  readonly #connection: Http2Connection;
  readonly #budget: ControlBudget;
  readonly #maxFrame: number;
  readonly #decoder = new HpackDecoder({
    maxTableSize: HPACK_TABLE_BYTES,
    maxListBytes: MAX_HEADER_LIST_BYTES,
    maxFields: MAX_HEADER_FIELDS,
  });
  readonly #resets = new Int32Array(REMEMBERED_RESETS);
  #resetAt = 0;
  #prefaceLeft: number;
  #sawSettings = false;
  // The frame being received, when it is split over reads.
  #partial: Uint8Array | null = null;
  #partialLength = 0;
  // DATA that is passed on while it arrives.
  #dataLeft = 0;
  #dataEnds = false;
  #dataStream: Http2Stream | null = null;
  // A header block that is continued.
  #block: Uint8Array | null = null;
  #blockLength = 0;
  #blockStream = 0;
  #blockEnds = false;
  #blockSelfDependent = false;
  #continuations = 0;

  constructor(connection: Http2Connection) {
    this.#connection = connection;
    this.#budget = new ControlBudget(connection.mesh);
    this.#maxFrame = connection.mesh ? MAX_MESH_FRAME_BYTES : MAX_FRAME_BYTES;
    this.#prefaceLeft = connection.isServer ? PREFACE.length : 0;
  }

  /** Remembers that we reset a stream. */
  rememberReset(streamId: number): void {
    this.#resets[this.#resetAt++ & (REMEMBERED_RESETS - 1)] = streamId;
  }

  /** Handles bytes from the socket; stops when the connection is closed. */
  read(buffer: Uint8Array, start: number, end: number): void {
    let at = start;
    if (this.#prefaceLeft > 0) at = this.#readPreface(buffer, at, end);
    const connection = this.#connection;
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
        this.#connection.fail(code.PROTOCOL_ERROR, "connection preface is not HTTP/2's");
        return end;
      }
      this.#prefaceLeft--;
    }
    return at;
  }

  #keep(buffer: Uint8Array, start: number, end: number, size: number): void {
    const partial = new Uint8Array(size);
    partial.set(buffer.subarray(start, end));
    this.#partial = partial;
    this.#partialLength = end - start;
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
      if (length > this.#maxFrame) {
        this.#connection.fail(code.FRAME_SIZE_ERROR, `frame of ${length} bytes`);
        return end;
      }
      if (length > 0 && !isPlainData(partial, 0)) {
        partial = new Uint8Array(FRAME_HEADER + length);
        partial.set(this.#partial as Uint8Array); // as above
        this.#partial = partial;
        return start + n;
      }
    }
    this.#partial = null;
    this.#frame(partial, 0, partial.length);
    return start + n;
  }

  /** Handles the frame at `start`, of which at least the header is there; returns where the next one begins. */
  #frame(buffer: Uint8Array, start: number, end: number): number {
    const length = frameLength(buffer, start);
    if (length > this.#maxFrame) {
      this.#connection.fail(code.FRAME_SIZE_ERROR, `frame of ${length} bytes`);
      return end;
    }
    const type = buffer[start + 3] as number; // the header is there
    const flags = buffer[start + 4] as number; // as above
    const id = read31(buffer, start + 5);
    const payload = start + FRAME_HEADER;
    if (this.#blockStream !== 0 && (type !== frame.CONTINUATION || id !== this.#blockStream)) {
      this.#connection.fail(code.PROTOCOL_ERROR, "header block interrupted by another frame");
      return end;
    }
    if (!this.#sawSettings) {
      if (type !== frame.SETTINGS || (flags & frame.ACK) !== 0) {
        this.#connection.fail(code.PROTOCOL_ERROR, "first frame is not SETTINGS");
        return end;
      }
      this.#sawSettings = true;
    }
    if (type === frame.DATA && (flags & frame.PADDED) === 0) {
      this.#beginData(id, length, length, (flags & frame.END_STREAM) !== 0);
      return payload;
    }
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
        return this.#headers(buffer, at, length, flags, id);
      case frame.CONTINUATION:
        return this.#continuation(buffer, at, length, flags, id);
      case frame.WINDOW_UPDATE:
        return this.#windowUpdate(buffer, at, length, id);
      case frame.RST_STREAM:
        return this.#rstStream(buffer, at, length, id);
      case frame.SETTINGS:
        return this.#settings(buffer, at, length, flags, id);
      case frame.PING:
        return this.#ping(buffer, at, length, flags, id);
      case frame.GOAWAY:
        if (id !== 0) return this.#connection.fail(code.PROTOCOL_ERROR, "GOAWAY on a stream");
        if (length < 8) return this.#connection.fail(code.FRAME_SIZE_ERROR, "GOAWAY too short");
        return this.#connection.goAwayReceived(read31(buffer, at));
      case frame.PRIORITY:
        return this.#priority(buffer, at, length, id);
      case frame.PUSH_PROMISE:
        return this.#connection.fail(code.PROTOCOL_ERROR, "PUSH_PROMISE was not asked for");
      default:
        this.#spend(); // unknown types are ignored (RFC 9113 §4.1), not free
    }
  }

  #spend(): boolean {
    if (this.#budget.take(clock)) return true;
    this.#connection.fail(code.ENHANCE_YOUR_CALM, "too many frames without data");
    return false;
  }

  // --- DATA

  #paddedData(buffer: Uint8Array, at: number, length: number, flags: number, id: number): void {
    if (length < 1) return this.#connection.fail(code.FRAME_SIZE_ERROR, "padded DATA without a pad length");
    const pad = buffer[at] as number; // length ≥ 1
    if (pad >= length) return this.#connection.fail(code.PROTOCOL_ERROR, "padding longer than the frame");
    const bytes = length - 1 - pad;
    this.#beginData(id, length, bytes, (flags & frame.END_STREAM) !== 0);
    if (bytes > 0 && !this.#connection.closed) this.#readData(buffer, at + 1, at + 1 + bytes);
    this.#dataStream?.consumed(length - bytes);
  }

  /** Accounts for a DATA frame of `length` bytes on the wire, `bytes` of them body, and prepares to pass them on. */
  #beginData(id: number, length: number, bytes: number, ends: boolean): void {
    const connection = this.#connection;
    if (id === 0) return connection.fail(code.PROTOCOL_ERROR, "DATA on stream 0");
    if (length === 0 && !ends && !this.#spend()) return;
    connection.recvWindow -= length;
    if (connection.recvWindow < 0) return connection.fail(code.FLOW_CONTROL_ERROR, "connection window exceeded");
    connection.creditConnection(length);
    this.#dataLeft = bytes;
    this.#dataEnds = ends;
    this.#dataStream = this.#streamForData(id, length, bytes, ends);
    if (bytes === 0) this.#dataDone();
  }

  #streamForData(id: number, length: number, bytes: number, ends: boolean): Http2Stream | null {
    const connection = this.#connection;
    const stream = connection.streams.get(id);
    if (stream === undefined) {
      if (this.#isIdle(id)) connection.fail(code.PROTOCOL_ERROR, "DATA on an idle stream");
      else if (!this.#wasReset(id)) connection.fail(code.STREAM_CLOSED, "DATA on a closed stream");
      return null;
    }
    if (stream.recvEnd) return this.#streamError(stream, code.STREAM_CLOSED, "DATA after END_STREAM");
    if (!stream.headReceived) return this.#streamError(stream, code.PROTOCOL_ERROR, "DATA before the head");
    stream.recvWindow -= length;
    if (stream.recvWindow < 0) return this.#streamError(stream, code.FLOW_CONTROL_ERROR, "stream window exceeded");
    if (stream.bodyLeft >= 0) {
      stream.bodyLeft -= bytes;
      if (stream.bodyLeft < 0 || (ends && stream.bodyLeft > 0)) {
        return this.#streamError(stream, code.PROTOCOL_ERROR, "body does not have the length it announced");
      }
    }
    return stream;
  }

  #readData(buffer: Uint8Array, start: number, end: number): number {
    const n = Math.min(this.#dataLeft, end - start);
    this.#dataLeft -= n;
    const stream = this.#dataStream;
    const last = this.#dataLeft === 0;
    if (stream !== null && !stream.closed) {
      const fin = last && this.#dataEnds;
      if (fin) this.#received(stream);
      stream.listener?.onData(stream, buffer, start, start + n, fin);
    }
    if (last) this.#dataStream = null;
    return start + n;
  }

  #dataDone(): void {
    const stream = this.#dataStream;
    this.#dataStream = null;
    if (stream === null || stream.closed || !this.#dataEnds) return;
    this.#received(stream);
    stream.listener?.onData(stream, EMPTY, 0, 0, true);
  }

  /** END_STREAM received. The listener stays until it has been told. */
  #received(stream: Http2Stream): void {
    stream.recvEnd = true;
    if (stream.sendEnd) this.#connection.finishStream(stream);
  }

  #streamError(stream: Http2Stream, h2Code: number, detail: string): null {
    const { listener } = stream;
    stream.listener = null;
    this.#connection.resetStream(stream, h2Code);
    listener?.onAbort(stream, h2Code, false, detail);
    this.#spend();
    return null;
  }

  // --- header sections

  #headers(buffer: Uint8Array, start: number, length: number, flags: number, id: number): void {
    const connection = this.#connection;
    if (id === 0) return connection.fail(code.PROTOCOL_ERROR, "HEADERS on stream 0");
    let at = start;
    let end = start + length;
    if ((flags & frame.PADDED) !== 0) {
      const pad = length > 0 ? (buffer[at] as number) : 0; // length checked
      at += 1;
      end -= pad;
    }
    this.#blockSelfDependent = false;
    if ((flags & frame.PRIORITY_FLAG) !== 0) {
      if (at + 5 <= end) this.#blockSelfDependent = read31(buffer, at) === id;
      at += 5;
    }
    if (at > end) return connection.fail(code.PROTOCOL_ERROR, "HEADERS shorter than its padding and priority");
    const ends = (flags & frame.END_STREAM) !== 0;
    if ((flags & frame.END_HEADERS) !== 0) return this.#section(buffer, at, end, id, ends);
    this.#block = new Uint8Array(Math.max(4096, 2 * (end - at)));
    this.#blockLength = 0;
    this.#blockStream = id;
    this.#blockEnds = ends;
    this.#continuations = 0;
    connection.expectHead(true);
    this.#collect(buffer, at, end);
  }

  #continuation(buffer: Uint8Array, at: number, length: number, flags: number, id: number): void {
    const connection = this.#connection;
    if (this.#blockStream === 0) return connection.fail(code.PROTOCOL_ERROR, "CONTINUATION without HEADERS");
    if (++this.#continuations > MAX_CONTINUATIONS || this.#blockLength + length > MAX_HEADER_BLOCK_BYTES) {
      return connection.fail(code.ENHANCE_YOUR_CALM, "header block too large");
    }
    this.#collect(buffer, at, at + length);
    if ((flags & frame.END_HEADERS) === 0) return;
    connection.expectHead(!connection.settingsReceived);
    const block = this.#block as Uint8Array; // set with blockStream
    this.#block = null;
    this.#blockStream = 0;
    this.#section(block, 0, this.#blockLength, id, this.#blockEnds);
  }

  #collect(buffer: Uint8Array, start: number, end: number): void {
    let block = this.#block as Uint8Array; // set by the caller
    if (this.#blockLength + end - start > block.length) {
      const larger = new Uint8Array(2 * (this.#blockLength + end - start));
      larger.set(block.subarray(0, this.#blockLength));
      block = this.#block = larger;
    }
    block.set(buffer.subarray(start, end), this.#blockLength);
    this.#blockLength += end - start;
  }

  /** A whole header section. It is decoded in any case, because the table must follow the peer's. */
  #section(buffer: Uint8Array, start: number, end: number, id: number, ends: boolean): void {
    const connection = this.#connection;
    const stream = connection.streams.get(id);
    const kind = stream?.headReceived ? TRAILERS : connection.isServer ? REQUEST : RESPONSE;
    const head = this.#decoder.decode(buffer, start, end, kind);
    if (typeof head === "number" && head !== MALFORMED && head !== TOO_LARGE) {
      return connection.fail(code.COMPRESSION_ERROR, "header block cannot be decompressed");
    }
    if (stream !== undefined) return this.#sectionOn(stream, head, ends);
    if (!connection.isServer || (id & 1) === 0) {
      if (this.#isIdle(id)) return connection.fail(code.PROTOCOL_ERROR, "HEADERS on a stream nobody opened");
      return this.#wasReset(id) ? undefined : connection.fail(code.STREAM_CLOSED, "HEADERS on a closed stream");
    }
    if (id <= this.lastPeerId) {
      if (this.#wasReset(id)) return;
      return connection.fail(code.STREAM_CLOSED, "HEADERS on a closed stream");
    }
    this.#request(id, head, ends);
  }

  #request(id: number, head: HeaderBlock | number, ends: boolean): void {
    const connection = this.#connection;
    this.lastPeerId = id;
    if (head === TOO_LARGE) {
      connection.writeHeaders(id, TOO_LARGE_RESPONSE, true);
      return connection.refuse(id, code.NO_ERROR);
    }
    if (typeof head === "number" || this.#blockSelfDependent) {
      this.#spend();
      return connection.refuse(id, code.PROTOCOL_ERROR);
    }
    const limit = connection.mesh ? MAX_MESH_STREAMS : MAX_STREAMS;
    if (connection.draining || connection.streams.size >= limit) {
      this.#spend();
      return connection.refuse(id, code.REFUSED_STREAM);
    }
    const stream = new Http2Stream(connection, id, connection.peerInitialWindow, STREAM_WINDOW_BYTES);
    connection.streams.set(id, stream);
    stream.headReceived = true;
    stream.bodyLeft = head.contentLength;
    if (ends) {
      if (head.contentLength > 0) {
        return void this.#streamError(stream, code.PROTOCOL_ERROR, "announced body is missing");
      }
      stream.recvEnd = true;
    }
    connection.owner.onRequest(connection, stream, head, ends);
  }

  #sectionOn(stream: Http2Stream, head: HeaderBlock | number, ends: boolean): void {
    if (stream.recvEnd) return void this.#streamError(stream, code.STREAM_CLOSED, "HEADERS after END_STREAM");
    if (typeof head === "number" || this.#blockSelfDependent) {
      return void this.#streamError(stream, code.PROTOCOL_ERROR, "malformed header section");
    }
    if (stream.headReceived) return this.#trailers(stream, head, ends);
    if (head.status < 200) {
      if (ends || head.status === 101) {
        return void this.#streamError(stream, code.PROTOCOL_ERROR, "interim response ends the stream");
      }
      return stream.listener?.onInterim(stream, head);
    }
    stream.headReceived = true;
    if (!stream.bodyless && head.status !== 204 && head.status !== 304) {
      stream.bodyLeft = head.contentLength;
      if (ends && head.contentLength > 0) {
        return void this.#streamError(stream, code.PROTOCOL_ERROR, "announced body is missing");
      }
    }
    if (ends) this.#received(stream);
    stream.listener?.onHead(stream, head, ends);
  }

  #trailers(stream: Http2Stream, head: HeaderBlock, ends: boolean): void {
    if (!ends) return void this.#streamError(stream, code.PROTOCOL_ERROR, "trailers do not end the stream");
    if (stream.bodyLeft > 0) {
      return void this.#streamError(stream, code.PROTOCOL_ERROR, "body is shorter than it announced");
    }
    this.#received(stream);
    stream.listener?.onTrailers(stream, head);
  }

  // --- other frames

  #windowUpdate(buffer: Uint8Array, at: number, length: number, id: number): void {
    const connection = this.#connection;
    if (length !== 4) return connection.fail(code.FRAME_SIZE_ERROR, "WINDOW_UPDATE is not 4 bytes");
    const bytes = read31(buffer, at);
    if (id === 0) {
      connection.sendWindow += bytes;
      if (bytes === 0) return connection.fail(code.PROTOCOL_ERROR, "WINDOW_UPDATE of 0");
      if (connection.sendWindow > MAX_31_BITS) return connection.fail(code.FLOW_CONTROL_ERROR, "window above 2^31-1");
      return connection.pumpAll();
    }
    const stream = connection.streams.get(id);
    if (stream === undefined) {
      if (this.#isIdle(id)) connection.fail(code.PROTOCOL_ERROR, "WINDOW_UPDATE on an idle stream");
      else this.#spend();
      return;
    }
    if (bytes === 0) return void this.#streamError(stream, code.PROTOCOL_ERROR, "WINDOW_UPDATE of 0");
    stream.sendWindow += bytes;
    if (stream.sendWindow > MAX_31_BITS) {
      return void this.#streamError(stream, code.FLOW_CONTROL_ERROR, "window above 2^31-1");
    }
    if (stream.queued > 0) stream.pump();
    else this.#spend();
  }

  #rstStream(buffer: Uint8Array, at: number, length: number, id: number): void {
    const connection = this.#connection;
    if (length !== 4) return connection.fail(code.FRAME_SIZE_ERROR, "RST_STREAM is not 4 bytes");
    if (id === 0 || this.#isIdle(id)) return connection.fail(code.PROTOCOL_ERROR, "RST_STREAM on an idle stream");
    if (!this.#spend()) return;
    const stream = connection.streams.get(id);
    if (stream === undefined) return;
    const h2Code = read32(buffer, at);
    connection.abortStream(stream, h2Code, h2Code === code.REFUSED_STREAM, "reset by the peer");
  }

  #settings(buffer: Uint8Array, at: number, length: number, flags: number, id: number): void {
    const connection = this.#connection;
    if (id !== 0) return connection.fail(code.PROTOCOL_ERROR, "SETTINGS on a stream");
    if ((flags & frame.ACK) !== 0) {
      if (length !== 0) connection.fail(code.FRAME_SIZE_ERROR, "SETTINGS acknowledgement with a payload");
      return;
    }
    if (length % 6 !== 0) return connection.fail(code.FRAME_SIZE_ERROR, "SETTINGS is not a multiple of 6 bytes");
    if (!this.#spend()) return;
    const error = applySettings(connection, this, buffer, at, at + length);
    if (error !== code.NO_ERROR) return connection.fail(error, "SETTINGS with a value out of range");
    connection.acknowledgeSettings();
    connection.pumpAll();
  }

  #ping(buffer: Uint8Array, at: number, length: number, flags: number, id: number): void {
    if (id !== 0) return this.#connection.fail(code.PROTOCOL_ERROR, "PING on a stream");
    if (length !== 8) return this.#connection.fail(code.FRAME_SIZE_ERROR, "PING is not 8 bytes");
    if ((flags & frame.ACK) !== 0) return;
    if (this.#spend()) this.#connection.acknowledgePing(buffer, at);
  }

  #priority(buffer: Uint8Array, at: number, length: number, id: number): void {
    if (id === 0) return this.#connection.fail(code.PROTOCOL_ERROR, "PRIORITY on stream 0");
    if (length !== 5) return this.#connection.fail(code.FRAME_SIZE_ERROR, "PRIORITY is not 5 bytes");
    if (!this.#spend()) return;
    if (read31(buffer, at) !== id) return;
    const stream = this.#connection.streams.get(id);
    if (stream !== undefined) this.#streamError(stream, code.PROTOCOL_ERROR, "stream depends on itself");
    else this.#connection.refuse(id, code.PROTOCOL_ERROR);
  }

  #isIdle(id: number): boolean {
    if (this.#connection.isServer) return (id & 1) === 0 || id > this.lastPeerId;
    return (id & 1) === 0 || id >= this.#connection.nextId;
  }

  #wasReset(id: number): boolean {
    return this.#resets.includes(id);
  }
}

const EMPTY = new Uint8Array(0);
const TOO_LARGE_RESPONSE = headerBlock(
  { method: "", scheme: "", authority: "", path: "", protocol: "", status: 431 },
  ["content-length", "0", "tulle-error", "header_too_large"],
);

function frameLength(buffer: Uint8Array, at: number): number {
  return ((buffer[at] as number) << 16) | ((buffer[at + 1] as number) << 8) | (buffer[at + 2] as number); // 9 bytes are there
}

function isPlainData(buffer: Uint8Array, at: number): boolean {
  return buffer[at + 3] === frame.DATA && ((buffer[at + 4] as number) & frame.PADDED) === 0; // as above
}

function read32(buffer: Uint8Array, at: number): number {
  const high = ((buffer[at] as number) << 24) | ((buffer[at + 1] as number) << 16); // callers check the length
  return (high | ((buffer[at + 2] as number) << 8) | (buffer[at + 3] as number)) >>> 0;
}

function read31(buffer: Uint8Array, at: number): number {
  return read32(buffer, at) & MAX_31_BITS;
}
