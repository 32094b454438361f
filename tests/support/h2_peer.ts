/**
 * A scripted HTTP/2 peer. It builds and reads frames by itself, or our codec would agree with its own mistakes; header
 * sections it writes as plain literals, and reads with our decoder, which the RFC's and foreign vectors check.
 */
import { HpackDecoder, REQUEST, RESPONSE, TRAILERS } from "../../src/wire/hpack/decoder.ts";
import type { HeaderBlock } from "../../src/wire/header_block.ts";
import { type FakeSocket, turn } from "./fake_socket.ts";

export const PREFACE: Buffer = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

const TYPES = [
  "DATA",
  "HEADERS",
  "PRIORITY",
  "RST_STREAM",
  "SETTINGS",
  "PUSH_PROMISE",
  "PING",
  "GOAWAY",
  "WINDOW_UPDATE",
  "CONTINUATION",
];
export const END_STREAM = 1;
export const ACK = 1;
export const END_HEADERS = 4;
export const PADDED = 8;
export const PRIORITY = 32;

/** A frame that arrived. */
export interface Frame {
  /** "DATA", "HEADERS", … */
  readonly type: string;
  readonly flags: number;
  readonly id: number;
  readonly payload: Buffer;
}

/** Any frame, well-formed or not. `length` lies about the payload when given. */
export function frame(type: number, flags: number, id: number, payload: Uint8Array = EMPTY, length = -1): Buffer {
  const out = Buffer.alloc(9 + payload.length);
  out.writeUIntBE(length < 0 ? payload.length : length, 0, 3);
  out[3] = type;
  out[4] = flags;
  out.writeUInt32BE(id, 5);
  out.set(payload, 9);
  return out;
}

/** Header block fragment of literals without indexing, without Huffman (RFC 7541 §6.2.2). */
export function literals(fields: readonly (readonly [string, string])[]): Buffer {
  const parts: Buffer[] = [];
  for (const [name, value] of fields) parts.push(Buffer.from([0]), text(name), text(value));
  return Buffer.concat(parts);
}

export type Fields = Readonly<Record<string, string>>;

/** A HEADERS frame with END_HEADERS. */
export function headers(id: number, fields: Fields, flags = 0): Buffer {
  return frame(1, flags | END_HEADERS, id, literals(Object.entries(fields)));
}

/** A request; more or other fields by `more`. */
export function request(id: number, more: Fields = {}, flags: number = END_STREAM): Buffer {
  return headers(id, { ":method": "GET", ":scheme": "http", ":authority": "web.shop", ":path": "/", ...more }, flags);
}

export function data(id: number, payload: Uint8Array | string | number, flags = 0): Buffer {
  const bytes = typeof payload === "number" ? Buffer.alloc(payload, 0x61) : Buffer.from(payload as string);
  return frame(0, flags, id, bytes);
}

export function paddedData(id: number, bytes: number, pad: number, flags = 0): Buffer {
  return frame(
    0,
    flags | PADDED,
    id,
    Buffer.concat([Buffer.from([pad]), Buffer.alloc(bytes, 0x61), Buffer.alloc(pad)]),
  );
}

/** SETTINGS of identifier, value pairs. */
export function settings(values: Readonly<Record<number, number>> = {}): Buffer {
  const payload = Buffer.alloc(6 * Object.keys(values).length);
  Object.entries(values).forEach(([id, value], i) => {
    payload.writeUInt16BE(Number(id), 6 * i);
    payload.writeUInt32BE(value, 6 * i + 2);
  });
  return frame(4, 0, 0, payload);
}

export const settingsAck = (): Buffer => frame(4, ACK, 0);
export const windowUpdate = (id: number, bytes: number): Buffer => frame(8, 0, id, u32(bytes));
export const rst = (id: number, code: number): Buffer => frame(3, 0, id, u32(code));
export const ping = (payload = "pingpong", flags = 0): Buffer => frame(6, flags, 0, Buffer.from(payload));
export const goaway = (lastId: number, code: number): Buffer => frame(7, 0, 0, Buffer.concat([u32(lastId), u32(code)]));

/** The other end of a FakeSocket. */
export class H2Peer {
  readonly socket: FakeSocket;
  readonly #decoder = new HpackDecoder({ maxTableSize: 4096, maxListBytes: 1 << 20, maxFields: 1000 });
  #rest: Buffer = Buffer.alloc(0);
  #prefaceLeft: number;

  /** @param fromClient the engine is a client, so its bytes begin with the preface */
  constructor(socket: FakeSocket, fromClient = false) {
    this.socket = socket;
    this.#prefaceLeft = fromClient ? PREFACE.length : 0;
  }

  /** Sends bytes in one piece. */
  send(...parts: readonly Uint8Array[]): void {
    this.socket.deliver(Buffer.concat(parts));
  }

  /** The frames that have arrived since the last call, after the engine had its turn. */
  async frames(): Promise<Frame[]> {
    await turn();
    let bytes = Buffer.concat([this.#rest, this.socket.take()]);
    if (this.#prefaceLeft > 0) {
      bytes = bytes.subarray(this.#prefaceLeft);
      this.#prefaceLeft = 0;
    }
    const out: Frame[] = [];
    while (bytes.length >= 9) {
      const length = bytes.readUIntBE(0, 3);
      if (bytes.length < 9 + length) break;
      const type = bytes[3] as number; // 9 bytes are there
      out.push({
        type: TYPES[type] ?? `type ${type}`,
        flags: bytes[4] as number, // as above
        id: bytes.readUInt32BE(5),
        payload: bytes.subarray(9, 9 + length),
      });
      bytes = bytes.subarray(9 + length);
    }
    this.#rest = Buffer.from(bytes);
    return out;
  }

  /** The header section of a HEADERS frame with END_HEADERS; sections must be read in order. */
  section(from: Frame, kind: "request" | "response" | "trailers"): HeaderBlock {
    const what = kind === "request" ? REQUEST : kind === "response" ? RESPONSE : TRAILERS;
    const block = this.#decoder.decode(from.payload, 0, from.payload.length, what);
    if (typeof block === "number") throw new Error(`the peer cannot read the section: ${block}`);
    return block;
  }
}

/** Frames as "TYPE id flags length", for comparing whole exchanges at once. */
export function brief(frames: readonly Frame[]): string[] {
  return frames.map((f) => {
    const code = f.type === "RST_STREAM" || f.type === "WINDOW_UPDATE"
      ? `:${f.payload.readUInt32BE(0)}`
      : f.type === "GOAWAY"
      ? `:${f.payload.readUInt32BE(0)}:${f.payload.readUInt32BE(4)}`
      : f.type === "DATA"
      ? `:${f.payload.length}`
      : "";
    const end = (f.type === "DATA" || f.type === "HEADERS") && (f.flags & END_STREAM) !== 0 ? " END" : "";
    const ack = (f.type === "SETTINGS" || f.type === "PING") && (f.flags & ACK) !== 0 ? " ACK" : "";
    return `${f.type} ${f.id}${code}${end}${ack}`;
  });
}

/** The GOAWAY code among the frames, or null. */
export function goawayCode(frames: readonly Frame[]): number | null {
  return frames.find((f) => f.type === "GOAWAY")?.payload.readUInt32BE(4) ?? null;
}

const EMPTY = new Uint8Array(0);

function u32(value: number): Buffer {
  const out = Buffer.alloc(4);
  out.writeUInt32BE(value);
  return out;
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, "latin1");
  if (bytes.length < 127) return Buffer.concat([Buffer.from([bytes.length]), bytes]);
  const length = [127];
  let rest = bytes.length - 127;
  while (rest >= 128) {
    length.push((rest & 127) | 128);
    rest >>>= 7;
  }
  length.push(rest);
  return Buffer.concat([Buffer.from(length), bytes]);
}
