/** The little HTTP that the open-loop client needs: one request shape, and the end of its responses. */

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

const [DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY] = [0, 1, 3, 4, 6, 7];
const END_STREAM = 1;
const ACK = 1;
/** Credit for the whole run at once: 2^31-1 less the initial 65,535. */
const CREDIT = 0x7fffffff - 65_535;
/** Streams at a time on one connection; servers allow 100 at least. */
const MAX_STREAMS = 64;

/** HTTP/2 with prior knowledge (RFC 9113); header fields are sent as literals, so no table is needed. */
export class H2Peer implements OpenLoopPeer {
  readonly preface: Uint8Array;
  readonly #block: Uint8Array;
  readonly #due = new Map<number, number>();
  readonly #bad = new Set<number>();
  #rest: Buffer = Buffer.alloc(0);
  #nextStream = 1;

  constructor(path: string) {
    const settings = frame(SETTINGS, 0, 0, Buffer.from([0, 4, 0x7f, 0xff, 0xff, 0xff]));
    const credit = Buffer.alloc(4);
    credit.writeUInt32BE(CREDIT);
    this.preface = Buffer.concat([Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), settings, frame(8, 0, 0, credit)]);
    const authority = "bench.test";
    this.#block = Buffer.concat([
      Buffer.from([0x82, 0x86, 0x04, path.length]),
      Buffer.from(path),
      Buffer.from([0x01, authority.length]),
      Buffer.from(authority),
    ]);
  }

  isFree(): boolean {
    return this.#due.size < MAX_STREAMS;
  }

  request(due: number): Uint8Array {
    const id = this.#nextStream;
    this.#nextStream += 2;
    this.#due.set(id, due);
    return frame(HEADERS, 0x4 | END_STREAM, id, this.#block);
  }

  read(bytes: Uint8Array, now: number, finish: Finish): Uint8Array | null {
    let all: Buffer = Buffer.from(bytes);
    if (this.#rest.length > 0) all = Buffer.concat([this.#rest, all]);
    const replies: Buffer[] = [];
    let at = 0;
    while (all.length - at >= 9) {
      const length = all.readUIntBE(at, 3);
      if (all.length - at < 9 + length) break;
      const type = all[at + 3] ?? 0;
      const flags = all[at + 4] ?? 0;
      const id = all.readUInt32BE(at + 5);
      const payload = all.subarray(at + 9, at + 9 + length);
      at += 9 + length;
      if (type === SETTINGS && (flags & ACK) === 0) replies.push(frame(SETTINGS, ACK, 0, Buffer.alloc(0)));
      if (type === PING && (flags & ACK) === 0) replies.push(frame(PING, ACK, 0, payload));
      if (type === GOAWAY) throw new Error(`the server went away: ${payload.subarray(8).toString("latin1")}`);
      if (type === RST_STREAM) this.#bad.add(id);
      if (type === RST_STREAM || (type === DATA || type === HEADERS) && (flags & END_STREAM) !== 0) {
        const due = this.#due.get(id);
        if (due !== undefined) finish(due, !this.#bad.delete(id), now);
        this.#due.delete(id);
      }
    }
    this.#rest = Buffer.from(all.subarray(at));
    return replies.length === 0 ? null : Buffer.concat(replies);
  }
}

function frame(type: number, flags: number, id: number, payload: Uint8Array): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(id, 5);
  return Buffer.concat([head, payload]);
}
