/** A plain HTTP/2 server for the application's side of the attacks: frames of its own, flow control as the RFC wants it. */
import type { Socket } from "bun";
import { HpackDecoder, REQUEST } from "../../src/wire/hpack/decoder.ts";
import { frame, FrameType, literalBlock, parseFrames, PREFACE } from "../support/h2_frames.ts";

const ACK = 1;
const END_STREAM = 1;
const END_HEADERS = 4;
const FRAME_BYTES = 16_384;
/** Unsent bytes of a connection above which it makes no more. */
const HIGH_WATER = 512 * 1024;
const OK = literalBlock([[":status", "200"]]);

interface Stream {
  window: number;
  /** Body bytes still to send. */
  left: number;
}

/** What the server does with a request; returns the bytes of the body of a 200, or -1 when it has answered, or never will. */
export type H2Handler = (connection: H2AppConnection, id: number, path: string) => number;

export class H2AppConnection {
  /** Credit is given for what is received. */
  reads = true;
  readonly #handler: H2Handler;
  readonly #streams = new Map<number, Stream>();
  readonly #decoder = new HpackDecoder({ maxTableSize: 4096, maxListBytes: 1 << 20, maxFields: 1000 });
  #socket: Socket<H2AppConnection> | null = null;
  #rest: Buffer = Buffer.alloc(0);
  #prefaceLeft = PREFACE.length;
  #out: Buffer[] = [];
  #outBytes = 0;
  #window = 65_535;
  #initialWindow = 65_535;
  #body = Buffer.alloc(FRAME_BYTES, 0x61);

  constructor(handler: H2Handler) {
    this.#handler = handler;
  }

  open(socket: Socket<H2AppConnection>): void {
    this.#socket = socket;
    const many = Buffer.from([0, 3, 0, 0, 0x40, 0]); // 16,384 streams
    const grow = Buffer.alloc(4);
    grow.writeUInt32BE(0x4000_0000);
    this.write(frame(FrameType.SETTINGS, 0, 0, many), frame(FrameType.WINDOW_UPDATE, 0, 0, grow));
  }

  write(...frames: readonly Buffer[]): void {
    for (const one of frames) {
      this.#out.push(one);
      this.#outBytes += one.length;
    }
    this.flush();
  }

  flush(): void {
    if (this.#out.length > 0) {
      const all = Buffer.concat(this.#out);
      const taken = Math.max(0, this.#socket?.write(all) ?? 0);
      this.#out = taken === all.length ? [] : [all.subarray(taken)];
      this.#outBytes = all.length - taken;
    }
  }

  onDrain(): void {
    this.flush();
    this.#pump();
  }

  onData(bytes: Buffer): void {
    const skipped = Math.min(this.#prefaceLeft, bytes.length);
    this.#prefaceLeft -= skipped;
    const parsed = parseFrames(Buffer.concat([this.#rest, bytes.subarray(skipped)]));
    this.#rest = Buffer.from(parsed.rest);
    for (const one of parsed.frames) this.#frame(one.type, one.flags, one.streamId, one.payload);
    this.#pump();
  }

  #frame(type: number, flags: number, id: number, payload: Buffer): void {
    if (type === FrameType.SETTINGS && (flags & ACK) === 0) this.#settings(payload);
    else if (type === FrameType.PING && (flags & ACK) === 0) this.write(frame(FrameType.PING, ACK, 0, payload));
    else if (type === FrameType.RST_STREAM) this.#streams.delete(id);
    else if (type === FrameType.WINDOW_UPDATE) {
      const bytes = payload.readUInt32BE(0);
      const stream = this.#streams.get(id);
      if (id === 0) this.#window += bytes;
      else if (stream !== undefined) stream.window += bytes;
    } else if (type === FrameType.DATA) {
      if (this.reads && payload.length > 0) {
        const back = Buffer.alloc(4);
        back.writeUInt32BE(payload.length);
        this.write(frame(FrameType.WINDOW_UPDATE, 0, id, back), frame(FrameType.WINDOW_UPDATE, 0, 0, back));
      }
    } else if (type === FrameType.HEADERS) {
      const head = this.#decoder.decode(payload, 0, payload.length, REQUEST);
      const path = typeof head === "number" ? "/" : head.path;
      const bytes = this.#handler(this, id, path);
      if (bytes >= 0) this.answer(id, bytes);
    }
  }

  /** A 200 with a body of so many bytes; Infinity for one without an end. */
  answer(id: number, bytes: number): void {
    this.write(frame(FrameType.HEADERS, END_HEADERS | (bytes === 0 ? END_STREAM : 0), id, OK));
    if (bytes > 0) this.#streams.set(id, { window: this.#initialWindow, left: bytes });
  }

  #settings(payload: Buffer): void {
    for (let at = 0; at + 6 <= payload.length; at += 6) {
      if (payload.readUInt16BE(at) !== 4) continue;
      const value = payload.readUInt32BE(at + 2);
      for (const stream of this.#streams.values()) stream.window += value - this.#initialWindow;
      this.#initialWindow = value;
    }
    this.write(frame(FrameType.SETTINGS, ACK, 0));
  }

  #pump(): void {
    for (const [id, stream] of this.#streams) {
      while (this.#outBytes < HIGH_WATER) {
        const n = Math.min(stream.left, stream.window, this.#window, FRAME_BYTES);
        if (n <= 0) break;
        stream.left -= n;
        stream.window -= n;
        this.#window -= n;
        this.write(frame(FrameType.DATA, stream.left === 0 ? END_STREAM : 0, id, this.#body.subarray(0, n)));
        if (stream.left === 0) this.#streams.delete(id);
      }
    }
  }
}

/** Listens for HTTP/2 with prior knowledge. */
export function serveH2(host: string, port: number, handler: H2Handler): void {
  Bun.listen<H2AppConnection>({
    hostname: host,
    port,
    socket: {
      open(socket) {
        socket.data = new H2AppConnection(handler);
        socket.data.open(socket);
      },
      data: (socket, bytes) => socket.data.onData(bytes),
      drain: (socket) => socket.data.onDrain(),
      error() {},
    },
  });
}
