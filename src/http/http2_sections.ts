/**
 * HEADERS and CONTINUATION of one connection: fragments → header section → request, response, interim response or trailers.
 */
import { freeBuffer } from "../net/lent_buffer.ts";
import { HpackDecoder, MALFORMED, REQUEST, RESPONSE, TOO_LARGE, TRAILERS } from "../wire/hpack/decoder.ts";
import { type HeaderBlock, headerBlock, NO_START } from "../wire/header_block.ts";
import * as code from "../wire/http2/error_code.ts";
import * as frame from "../wire/http2/frame_type.ts";
import { read31 } from "./_read.ts";
import type { Http2Reader } from "./http2_reader.ts";
import { Http2Stream } from "./http2_stream.ts";
import {
  HPACK_TABLE_BYTES,
  MAX_CONTINUATIONS,
  MAX_HEADER_BLOCK_BYTES,
  MAX_HEADER_FIELDS,
  MAX_HEADER_LIST_BYTES,
  MAX_MESH_STREAMS,
  MAX_STREAMS,
} from "./limits.ts";

/** A head beyond the limits is read to its end, for the table's sake: as much work as so many frames without data. */
const TOO_LARGE_COST = 20;
const TOO_LARGE_DETAIL = `header section of more than ${MAX_HEADER_LIST_BYTES} bytes or ${MAX_HEADER_FIELDS} fields`;
const BLOCK_TOO_LARGE =
  `header block of more than ${MAX_HEADER_BLOCK_BYTES} bytes or ${MAX_CONTINUATIONS} CONTINUATION frames`;
/** First size of the buffer that collects fragments, bytes. */
const FIRST_BLOCK_BYTES = 4096;

export class SectionReader {
  /** A header block that is continued: its stream; 0 for none. Nothing else may come in between. */
  continued = 0;
  readonly #reader: Http2Reader;
  readonly #decoder = new HpackDecoder({
    maxTableSize: HPACK_TABLE_BYTES,
    maxListBytes: MAX_HEADER_LIST_BYTES,
    maxFields: MAX_HEADER_FIELDS,
  });
  #block: Uint8Array | null = null;
  #blockLength = 0;
  #blockEnds = false;
  #selfDependent = false;
  #continuations = 0;

  constructor(reader: Http2Reader) {
    this.#reader = reader;
  }

  /** Memory that a header block takes which is not complete. */
  get heldBytes(): number {
    return this.#block === null ? 0 : this.#block.length;
  }

  /** Forgets it. */
  release(): void {
    if (this.#block !== null) freeBuffer(this.#block);
    this.#block = null;
  }

  onHeaders(buffer: Uint8Array, start: number, length: number, flags: number, id: number): void {
    const { connection } = this.#reader;
    if (id === 0) return connection.fail(code.PROTOCOL_ERROR, "HEADERS on stream 0");
    let at = start;
    let end = start + length;
    if ((flags & frame.PADDED) !== 0) {
      const pad = length > 0 ? (buffer[at] as number) : 0; // length checked
      at += 1;
      end -= pad;
    }
    this.#selfDependent = false;
    if ((flags & frame.PRIORITY_FLAG) !== 0) {
      if (at + 5 <= end) this.#selfDependent = read31(buffer, at) === id;
      at += 5;
    }
    if (at > end) return connection.fail(code.PROTOCOL_ERROR, "HEADERS shorter than its padding and priority");
    const ends = (flags & frame.END_STREAM) !== 0;
    if ((flags & frame.END_HEADERS) !== 0) return this.#section(buffer, at, end, id, ends);
    this.#block = new Uint8Array(Math.max(FIRST_BLOCK_BYTES, 2 * (end - at)));
    this.#blockLength = 0;
    this.continued = id;
    this.#blockEnds = ends;
    this.#continuations = 0;
    connection.expectHead(true);
    this.#collect(buffer, at, end);
  }

  onContinuation(buffer: Uint8Array, at: number, length: number, flags: number, id: number): void {
    const { connection } = this.#reader;
    if (this.continued === 0) return connection.fail(code.PROTOCOL_ERROR, "CONTINUATION without HEADERS");
    if (++this.#continuations > MAX_CONTINUATIONS || this.#blockLength + length > MAX_HEADER_BLOCK_BYTES) {
      return connection.calm("head_too_large", BLOCK_TOO_LARGE);
    }
    this.#collect(buffer, at, at + length);
    if ((flags & frame.END_HEADERS) === 0) return;
    connection.expectHead(!connection.settingsReceived);
    const block = this.#block as Uint8Array; // set with `continued`
    this.#block = null;
    this.#reader.count();
    this.continued = 0;
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
    this.#reader.count();
  }

  /** A whole header section. It is decoded in any case, because the table must follow the peer's. */
  #section(buffer: Uint8Array, start: number, end: number, id: number, ends: boolean): void {
    const reader = this.#reader;
    const { connection } = reader;
    const stream = connection.streams.get(id);
    const kind = stream?.headReceived ? TRAILERS : connection.isServer ? REQUEST : RESPONSE;
    const head = this.#decoder.decode(buffer, start, end, kind);
    if (typeof head === "number" && head !== MALFORMED && head !== TOO_LARGE) {
      return connection.fail(code.COMPRESSION_ERROR, "header block cannot be decompressed");
    }
    if (stream !== undefined) return this.#sectionOn(stream, head, ends);
    if (!connection.isServer || (id & 1) === 0) {
      if (reader.isIdle(id)) return connection.fail(code.PROTOCOL_ERROR, "HEADERS on a stream nobody opened");
      if (!reader.resets.has(id)) return connection.fail(code.STREAM_CLOSED, "HEADERS on a closed stream");
      return void reader.spendAnswer();
    }
    if (id <= reader.lastPeerId) {
      if (reader.resets.has(id)) return void reader.spend();
      return connection.fail(code.STREAM_CLOSED, "HEADERS on a closed stream");
    }
    this.#request(id, head, ends);
  }

  #request(id: number, head: HeaderBlock | number, ends: boolean): void {
    const reader = this.#reader;
    const { connection } = reader;
    reader.lastPeerId = id;
    if (head === TOO_LARGE) {
      if (reader.spend(TOO_LARGE_COST)) this.#answer(id, TOO_LARGE_RESPONSE, code.NO_ERROR, TOO_LARGE_DETAIL);
      return;
    }
    if (this.#selfDependent) return reader.spend() ? connection.refuse(id, code.PROTOCOL_ERROR) : undefined;
    if (typeof head === "number") return this.#malformed(id, "malformed header section");
    const limit = connection.mesh ? MAX_MESH_STREAMS : MAX_STREAMS;
    if (connection.draining || connection.streams.size >= limit) {
      return reader.spend() ? connection.refuse(id, code.REFUSED_STREAM) : undefined;
    }
    // The bytes behind CONNECT are a tunnel's; a length speaks of the first of them at most (an upgrade with a body).
    const bodyLeft = head.method === "CONNECT" ? -1 : head.contentLength;
    if (ends && bodyLeft > 0) return this.#malformed(id, "announced body is missing");
    const stream = new Http2Stream(connection, id, connection.peerInitialWindow, connection.windows.first);
    connection.accepted(stream);
    stream.headReceived = true;
    stream.bodyLeft = bodyLeft;
    stream.recvEnd = ends;
    connection.owner.onRequest(connection, stream, head, ends);
  }

  /**
   * A malformed request is answered before its stream is reset (RFC 9113 §8.1.1): clients take PROTOCOL_ERROR alone for the
   * connection's fault, and some (Go's) send the same request again and again, each time on a new one.
   */
  #malformed(id: number, detail: string): void {
    if (this.#reader.spend()) this.#answer(id, MALFORMED_RESPONSE, code.PROTOCOL_ERROR, detail);
  }

  /** The whole answer to a request that nobody else hears of. */
  #answer(id: number, response: HeaderBlock, h2Code: number, detail: string): void {
    const { connection } = this.#reader;
    connection.writeHeaders(id, response, true);
    connection.refuse(id, h2Code);
    connection.owner.onBadRequest(connection, response.status, detail);
  }

  #sectionOn(stream: Http2Stream, head: HeaderBlock | number, ends: boolean): void {
    const reader = this.#reader;
    if (stream.recvEnd) return void reader.streamError(stream, code.STREAM_CLOSED, "HEADERS after END_STREAM");
    if (head === TOO_LARGE) return void reader.streamError(stream, code.INTERNAL_ERROR, TOO_LARGE_DETAIL);
    if (typeof head === "number" || this.#selfDependent) {
      return void reader.streamError(stream, code.PROTOCOL_ERROR, "malformed header section");
    }
    if (stream.headReceived) return this.#trailers(stream, head, ends);
    if (head.status < 200) {
      if (ends || head.status === 101) {
        return void reader.streamError(stream, code.PROTOCOL_ERROR, "interim response ends the stream");
      }
      return stream.listener?.onInterim(stream, head);
    }
    stream.headReceived = true;
    if (!stream.isBodyless(head.status)) {
      stream.bodyLeft = head.contentLength;
      if (ends && head.contentLength > 0) {
        return void reader.streamError(stream, code.PROTOCOL_ERROR, "announced body is missing");
      }
    }
    const { listener } = stream;
    if (ends) reader.received(stream);
    listener?.onHead(stream, head, ends);
  }

  #trailers(stream: Http2Stream, head: HeaderBlock, ends: boolean): void {
    const reader = this.#reader;
    if (!ends) return void reader.streamError(stream, code.PROTOCOL_ERROR, "trailers do not end the stream");
    if (stream.bodyLeft > 0) {
      return void reader.streamError(stream, code.PROTOCOL_ERROR, "body is shorter than it announced");
    }
    const { listener } = stream;
    reader.received(stream);
    listener?.onTrailers(stream, head);
  }
}

/** Fields of an answer to what the client got wrong. */
function refusal(detail: string): string[] {
  return ["content-length", "0", "tulle-error", "bad_request", "tulle-error-detail", detail];
}

const TOO_LARGE_RESPONSE = headerBlock(
  { ...NO_START, status: 431 },
  refusal(`${TOO_LARGE_DETAIL} (SETTINGS_MAX_HEADER_LIST_SIZE); send fewer or smaller ones`),
);
const MALFORMED_RESPONSE = headerBlock(
  { ...NO_START, status: 400 },
  refusal("the request breaks the rules of HTTP (RFC 9113 section 8.3); sent again it is refused again"),
);
