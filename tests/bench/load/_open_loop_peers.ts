/** The little HTTP that the open-loop client needs: one request shape, and the end of its responses. */
import { Flag, frame, FrameType, getBlock, parseFrames, PREFACE } from "../../support/h2_frames.ts";

type Finish = (due: number, ok: boolean, now: number) => void;

export interface OpenLoopPeer {
  /** Bytes to send once, before the first request. */
  readonly preface: Uint8Array;
  /** True when another request may start on this connection. */
  isFree(): boolean;
  /** Bytes of a request that was due at this time. */
  request(due: number): Uint8Array;
  /** Takes bytes received, reports the responses that end in them, and returns bytes to answer with, if any. */
  read(bytes: Uint8Array, now: number, finish: Finish): Uint8Array | null;
}

/** HTTP/1.1, one request at a time; responses carry Content-Length. */
export class H1Peer implements OpenLoopPeer {
  readonly preface = new Uint8Array(0);
  readonly #request: Uint8Array;
  #due = -1;
  #text = "";

  constructor(path: string) {
    this.#request = Buffer.from(`GET ${path} HTTP/1.1\r\nHost: bench.test\r\n\r\n`);
  }

  isFree(): boolean {
    return this.#due < 0;
  }

  request(due: number): Uint8Array {
    this.#due = due;
    return this.#request;
  }

  read(bytes: Uint8Array, now: number, finish: Finish): null {
    this.#text += Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
    const head = this.#text.indexOf("\r\n\r\n");
    if (head < 0) return null;
    const length = /\r\ncontent-length: *(\d+)/i.exec(this.#text.slice(0, head + 2))?.[1];
    if (length === undefined) throw new Error(`a response without Content-Length: ${this.#text.slice(0, head)}`);
    if (this.#text.length < head + 4 + Number(length)) return null;
    const due = this.#due;
    const ok = this.#text.startsWith("HTTP/1.1 200");
    this.#due = -1;
    this.#text = "";
    finish(due, ok, now);
    return null;
  }
}

/** Credit for the whole run at once: 2^31-1 less the initial 65,535. */
const CREDIT = 0x7fffffff - 65_535;
/** Streams at a time on one connection; servers allow 100 at least. */
const MAX_STREAMS = 64;
const { DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE } = FrameType;

/** HTTP/2 with prior knowledge (RFC 9113); header fields are sent as literals, so no table is needed. */
export class H2Peer implements OpenLoopPeer {
  readonly preface: Uint8Array;
  readonly #block: Uint8Array;
  readonly #due = new Map<number, number>();
  readonly #bad = new Set<number>();
  #rest: Buffer = Buffer.alloc(0);
  #nextStream = 1;

  constructor(path: string) {
    const credit = Buffer.alloc(4);
    credit.writeUInt32BE(CREDIT);
    const settings = frame(SETTINGS, 0, 0, Buffer.from([0, 4, 0x7f, 0xff, 0xff, 0xff]));
    this.preface = Buffer.concat([PREFACE, settings, frame(WINDOW_UPDATE, 0, 0, credit)]);
    this.#block = getBlock(path, "bench.test");
  }

  isFree(): boolean {
    return this.#due.size < MAX_STREAMS;
  }

  request(due: number): Uint8Array {
    const id = this.#nextStream;
    this.#nextStream += 2;
    this.#due.set(id, due);
    return frame(HEADERS, Flag.END_HEADERS | Flag.END_STREAM, id, this.#block);
  }

  read(bytes: Uint8Array, now: number, finish: Finish): Uint8Array | null {
    const { frames, rest } = parseFrames(Buffer.concat([this.#rest, bytes]));
    const replies: Buffer[] = [];
    for (const { type, flags, streamId, payload } of frames) {
      if (type === SETTINGS && (flags & Flag.ACK) === 0) replies.push(frame(SETTINGS, Flag.ACK, 0));
      if (type === PING && (flags & Flag.ACK) === 0) replies.push(frame(PING, Flag.ACK, 0, payload));
      if (type === GOAWAY) throw new Error(`the server went away: ${payload.subarray(8).toString("latin1")}`);
      if (type === RST_STREAM) this.#bad.add(streamId);
      if (type === RST_STREAM || (type === DATA || type === HEADERS) && (flags & Flag.END_STREAM) !== 0) {
        const due = this.#due.get(streamId);
        if (due !== undefined) finish(due, !this.#bad.delete(streamId), now);
        this.#due.delete(streamId);
      }
    }
    this.#rest = Buffer.from(rest);
    return replies.length === 0 ? null : Buffer.concat(replies);
  }
}
