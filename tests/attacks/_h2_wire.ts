/** An attacker that speaks HTTP/2 frames, its own way: it acknowledges and credits nothing unless told to. */
import { frame, FrameType, literalBlock, parseFrames, PREFACE } from "../support/h2_frames.ts";
import type { Wire } from "./_wire.ts";

const END_STREAM = 1;
const END_HEADERS = 4;
const ENHANCE_YOUR_CALM = 11;

export class H2Wire {
  readonly wire: Wire;
  /** Response heads seen; each stream's first HEADERS. */
  heads = 0;
  /** Code of the GOAWAY, -1 while there is none. */
  goAway = -1;
  /** RST_STREAM frames by code. */
  readonly resets = new Map<number, number>();
  /** Bytes of DATA received. */
  dataBytes = 0;
  #rest: Buffer = Buffer.alloc(0);
  #nextId = 1;

  private constructor(wire: Wire) {
    this.wire = wire;
    wire.onData = (bytes) => this.#read(bytes);
  }

  /**
   * Sends preface and SETTINGS.
   *
   * @param initialWindow window of each stream towards the attacker; below 0 to leave the default
   */
  static async start(wire: Wire, initialWindow = -1): Promise<H2Wire> {
    const attacker = new H2Wire(wire);
    const settings = initialWindow < 0 ? Buffer.alloc(0) : setting(4, initialWindow);
    await wire.send(Buffer.concat([PREFACE, frame(FrameType.SETTINGS, 0, 0, settings)]));
    return attacker;
  }

  /** The victim has told it to stop: GOAWAY with ENHANCE_YOUR_CALM. */
  get isCalmed(): boolean {
    return this.goAway === ENHANCE_YOUR_CALM;
  }

  get isClosed(): boolean {
    return this.wire.isClosed;
  }

  /** Id of the next stream. */
  id(): number {
    const id = this.#nextId;
    this.#nextId += 2;
    return id;
  }

  /** Sends frames as they are; false when the victim takes no more. */
  async send(...frames: readonly Uint8Array[]): Promise<boolean> {
    return await this.wire.send(frames.length === 1 && frames[0] !== undefined ? frames[0] : Buffer.concat(frames));
  }

  /** Sends a frame over and over, in pieces of many, until `count` were sent or the victim has enough. */
  async flood(count: number, make: (at: number) => Uint8Array, perWrite = 1_000): Promise<number> {
    for (let at = 0; at < count; at += perWrite) {
      const piece = Array.from({ length: Math.min(perWrite, count - at) }, (_, n) => make(at + n));
      if (!(await this.wire.send(Buffer.concat(piece)))) return at;
    }
    return count;
  }

  close(): void {
    this.wire.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #read(bytes: Buffer): void {
    const parsed = parseFrames(this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]));
    for (const { type, payload } of parsed.frames) {
      if (type === FrameType.HEADERS) this.heads++;
      else if (type === FrameType.DATA) this.dataBytes += payload.length;
      else if (type === FrameType.GOAWAY) this.goAway = Math.max(this.goAway, payload.readUInt32BE(4));
      else if (type === FrameType.RST_STREAM) {
        const code = payload.readUInt32BE(0);
        this.resets.set(code, (this.resets.get(code) ?? 0) + 1);
      }
    }
    this.#rest = Buffer.from(parsed.rest);
  }
}

/** Payload of one setting. */
export function setting(id: number, value: number): Buffer {
  const out = Buffer.alloc(6);
  out.writeUInt16BE(id, 0);
  out.writeUInt32BE(value, 2);
  return out;
}

export function u32(value: number): Buffer {
  const out = Buffer.alloc(4);
  out.writeUInt32BE(value);
  return out;
}

/** HEADERS of a request without a body, or (`open`) with one to come. */
export function request(id: number, path: string, open = false, method = "GET"): Buffer {
  const fields: [string, string][] = [
    [":method", method],
    [":scheme", "http"],
    [":path", path],
    [":authority", "web"],
  ];
  return frame(FrameType.HEADERS, END_HEADERS | (open ? 0 : END_STREAM), id, literalBlock(fields));
}

export const rst = (id: number, code = 8): Buffer => frame(FrameType.RST_STREAM, 0, id, u32(code));
export const credit = (id: number, bytes: number): Buffer => frame(FrameType.WINDOW_UPDATE, 0, id, u32(bytes));
export const data = (id: number, bytes: Uint8Array, end = false): Buffer =>
  frame(FrameType.DATA, end ? END_STREAM : 0, id, bytes);
