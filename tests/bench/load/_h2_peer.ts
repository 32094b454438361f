/**
 * One HTTP/2 connection of a load generator or its backend (RFC 9113): frames in place, all writes of a turn in one, flow
 * control in both directions. It is made for benches: what it does not expect ends the process with a reason.
 */
import { ByteSink } from "../../../src/base/byte_sink.ts";
import type { HeaderBlock } from "../../../src/wire/header_block.ts";
import { type BlockKind, HpackDecoder } from "../../../src/wire/hpack/decoder.ts";
import { Flag, FrameType, PREFACE } from "../../support/h2_frames.ts";
import { type Field, GrpcHpackEncoder } from "./_hpack_encoder.ts";

export interface H2Events {
  /** A header section came; `end`: nothing follows on its stream. */
  onSection(stream: number, block: HeaderBlock, end: boolean): void;
  /** DATA came: buf[start, start + length), the callee's until it returns. */
  onData(stream: number, buf: Uint8Array, start: number, length: number, end: boolean): void;
  onReset(stream: number, code: number): void;
  /** The peer takes more DATA, or the socket more bytes. */
  onCredit(): void;
}

/** Writes bytes and says how many were taken, as Bun's sockets do. */
export interface ByteWriter {
  write(bytes: Uint8Array): number;
}

const { DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION } = FrameType;
const FRAME_HEAD = 9;
const [HEADER_TABLE_SIZE, INITIAL_WINDOW_SIZE] = [1, 4];
const PADDED = 8;
const PRIORITY = 0x20;
const DEFAULT_WINDOW = 65_535;
/** What we grant, bytes: a stream as much as grpc-go grants one on a fast network, a connection sixteen of them. */
const STREAM_WINDOW = 1 << 20;
const CONNECTION_WINDOW = 1 << 24;
/** Bytes that may wait for the socket before DATA has to wait, too. */
const MAX_WAITING = 1 << 20;
const LIMITS = { maxTableSize: 4096, maxListBytes: 1 << 16, maxFields: 100 };

export class H2Peer {
  readonly #writer: ByteWriter;
  readonly #events: H2Events;
  readonly #kinds: { readonly first: BlockKind; readonly later: BlockKind };
  readonly #out = new ByteSink(1 << 16);
  readonly #encoder = new GrpcHpackEncoder();
  readonly #decoder = new HpackDecoder(LIMITS);
  /** What streams may still send; a stream without an entry has the initial window. */
  readonly #credit = new Map<number, number>();
  /** Bytes received on streams that were not granted again. */
  readonly #received = new Map<number, number>();
  /** Streams whose first section has come. */
  readonly #begun = new Set<number>();
  #receivedInAll = 0;
  #creditInAll = DEFAULT_WINDOW;
  #initialCredit = DEFAULT_WINDOW;
  #rest: Buffer = Buffer.alloc(0);
  #prefaceLeft: number;
  #block: Buffer | null = null;
  #blockFlags = 0;

  /** @param kinds of a stream's first section that arrives, and of those after it */
  constructor(
    writer: ByteWriter,
    events: H2Events,
    isServer: boolean,
    kinds: { readonly first: BlockKind; readonly later: BlockKind },
  ) {
    this.#writer = writer;
    this.#events = events;
    this.#kinds = kinds;
    this.#prefaceLeft = isServer ? PREFACE.length : 0;
    if (!isServer) this.#out.append(PREFACE, 0, PREFACE.length);
    this.#head(6, SETTINGS, 0, 0);
    this.#out.put1(0);
    this.#out.put1(INITIAL_WINDOW_SIZE);
    this.#out.put4(STREAM_WINDOW);
    this.#head(4, WINDOW_UPDATE, 0, 0);
    this.#out.put4(CONNECTION_WINDOW - DEFAULT_WINDOW);
  }

  /** Queues a header section; flush() sends it. */
  section(stream: number, fields: readonly Field[], end: boolean): void {
    const at = this.#head(0, HEADERS, Flag.END_HEADERS | (end ? Flag.END_STREAM : 0), stream);
    this.#encoder.encode(fields, this.#out);
    this.#patchLength(at);
  }

  /** Queues DATA, at most 16 KiB. False: the peer does not take so much now, and nothing was queued. */
  data(stream: number, bytes: Uint8Array, end: boolean): boolean {
    const credit = this.#credit.get(stream) ?? this.#initialCredit;
    const size = bytes.length;
    if (size > credit || size > this.#creditInAll || this.#out.length > MAX_WAITING) return false;
    this.#creditInAll -= size;
    if (!end) this.#credit.set(stream, credit - size);
    this.#head(size, DATA, end ? Flag.END_STREAM : 0, stream);
    this.#out.append(bytes, 0, size);
    return true;
  }

  /** Forgets a stream that has ended in both directions. */
  forget(stream: number): void {
    this.#credit.delete(stream);
    this.#received.delete(stream);
    this.#begun.delete(stream);
  }

  /** Sends what is queued; the rest goes when the socket takes it (call again on drain). */
  flush(): void {
    const { length } = this.#out;
    if (length === 0) return;
    const taken = this.#writer.write(this.#out.buffer.subarray(0, length));
    if (taken > 0) this.#out.buffer.copyWithin(0, taken, length);
    this.#out.length = length - Math.max(0, taken);
  }

  /** Takes bytes from the socket, reports what they hold, and sends what was queued meanwhile. */
  receive(chunk: Buffer): void {
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const skipped = Math.min(this.#prefaceLeft, bytes.length);
    this.#prefaceLeft -= skipped;
    bytes = bytes.subarray(skipped);
    let at = 0;
    while (bytes.length - at >= FRAME_HEAD) {
      const length = bytes.readUIntBE(at, 3);
      if (bytes.length - at - FRAME_HEAD < length) break;
      this.#frame(bytes, at, length);
      at += FRAME_HEAD + length;
    }
    this.#rest = at === bytes.length ? Buffer.alloc(0) : Buffer.from(bytes.subarray(at));
    this.flush();
  }

  #frame(bytes: Buffer, at: number, length: number): void {
    const type = bytes[at + 3] as number; // a whole frame head is there
    const flags = bytes[at + 4] as number; // as above
    const stream = bytes.readUInt32BE(at + 5) & 0x7fffffff;
    const start = at + FRAME_HEAD;
    switch (type) {
      case DATA:
        return this.#onData(stream, bytes, start, length, flags);
      case HEADERS:
      case CONTINUATION:
        return this.#onBlock(stream, bytes.subarray(start, start + length), type === HEADERS, flags);
      case SETTINGS:
        if ((flags & Flag.ACK) === 0) this.#onSettings(bytes, start, length);
        return;
      case PING:
        if ((flags & Flag.ACK) !== 0) return;
        this.#head(8, PING, Flag.ACK, 0);
        return this.#out.append(bytes, start, start + 8);
      case WINDOW_UPDATE: {
        const more = bytes.readUInt32BE(start);
        if (stream === 0) this.#creditInAll += more;
        else if (this.#credit.has(stream)) this.#credit.set(stream, (this.#credit.get(stream) as number) + more); // has
        else if (this.#begun.has(stream)) this.#credit.set(stream, this.#initialCredit + more);
        return this.#events.onCredit();
      }
      case RST_STREAM:
        this.forget(stream);
        return this.#events.onReset(stream, bytes.readUInt32BE(start));
      case GOAWAY:
        throw new Error(`the peer went away: ${bytes.subarray(start + 8, start + length).toString("latin1")}`);
    }
  }

  #onData(stream: number, bytes: Buffer, start: number, length: number, flags: number): void {
    const end = (flags & Flag.END_STREAM) !== 0;
    this.#receivedInAll += length;
    if (this.#receivedInAll >= CONNECTION_WINDOW / 2) {
      this.#head(4, WINDOW_UPDATE, 0, 0);
      this.#out.put4(this.#receivedInAll);
      this.#receivedInAll = 0;
    }
    if (!end) this.#grant(stream, length);
    const pad = (flags & PADDED) !== 0 ? 1 + (bytes[start] as number) : 0; // padded frames have the byte
    this.#events.onData(stream, bytes, start + (pad > 0 ? 1 : 0), length - pad, end);
  }

  #grant(stream: number, length: number): void {
    const received = (this.#received.get(stream) ?? 0) + length;
    this.#received.set(stream, received);
    if (received < STREAM_WINDOW / 2) return;
    this.#received.set(stream, 0);
    this.#head(4, WINDOW_UPDATE, 0, stream);
    this.#out.put4(received);
  }

  #onBlock(stream: number, payload: Buffer, isFirst: boolean, flags: number): void {
    let fragment = payload;
    if (isFirst) {
      this.#blockFlags = flags;
      const pad = (flags & PADDED) !== 0 ? payload[0] as number : 0; // padded frames have the byte
      const skip = ((flags & PADDED) !== 0 ? 1 : 0) + ((flags & PRIORITY) !== 0 ? 5 : 0);
      fragment = payload.subarray(skip, payload.length - pad);
    }
    const block = this.#block === null ? fragment : Buffer.concat([this.#block, fragment]);
    if ((flags & Flag.END_HEADERS) === 0) {
      this.#block = Buffer.from(block);
      return;
    }
    this.#block = null;
    const kind = this.#begun.has(stream) ? this.#kinds.later : this.#kinds.first;
    const section = this.#decoder.decode(block, 0, block.length, kind);
    if (typeof section === "number") throw new Error(`a header section cannot be read: ${section}`);
    this.#begun.add(stream);
    this.#events.onSection(stream, section, (this.#blockFlags & Flag.END_STREAM) !== 0);
  }

  #onSettings(bytes: Buffer, start: number, length: number): void {
    for (let at = start; at < start + length; at += 6) {
      const value = bytes.readUInt32BE(at + 2);
      const id = bytes.readUInt16BE(at);
      if (id === HEADER_TABLE_SIZE) this.#encoder.setTableSize(value);
      if (id !== INITIAL_WINDOW_SIZE) continue;
      const change = value - this.#initialCredit;
      this.#initialCredit = value;
      for (const [stream, credit] of this.#credit) this.#credit.set(stream, credit + change);
    }
    this.#head(0, SETTINGS, Flag.ACK, 0);
    this.#events.onCredit();
  }

  /** Appends a frame head and returns where it is. */
  #head(length: number, type: number, flags: number, stream: number): number {
    const at = this.#out.length;
    this.#out.put3(length);
    this.#out.put1(type);
    this.#out.put1(flags);
    this.#out.put4(stream);
    return at;
  }

  #patchLength(at: number): void {
    const { buffer, length } = this.#out;
    const size = length - at - FRAME_HEAD;
    buffer[at] = size >>> 16;
    buffer[at + 1] = size >>> 8;
    buffer[at + 2] = size;
  }
}
