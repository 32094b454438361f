/** Cuts what the controller sends into HTTP/2 frames (RFC 9113 §4.1). */
import { FRAME_HEADER_BYTES, PADDED } from "../../wire/http2/frame_type.ts";

/** Neither side sends larger frames: we advertise no more than the default, and need no more. */
export const MAX_FRAME_BYTES = 16_384;

/** Receives whole frames. */
export interface FrameSink {
  /** The payload is only valid during the call. It is no Buffer, whose `slice` would not copy. */
  onFrame(type: number, flags: number, id: number, payload: Uint8Array): void;
}

const NOTHING: Uint8Array = new Uint8Array(0);

/** Puts frames together from any pieces. */
export class FrameReader {
  #held: Uint8Array = NOTHING;

  /** @returns "" or what the peer did wrong */
  push(piece: Uint8Array, sink: FrameSink): string {
    const { buffer, byteOffset, length: size } = this.#held.length === 0 ? piece : Buffer.concat([this.#held, piece]);
    const bytes = new Uint8Array(buffer, byteOffset, size);
    let at = 0;
    while (bytes.length - at >= FRAME_HEADER_BYTES) {
      const first = number4(bytes.subarray(at));
      const length = first >>> 8;
      if (length > MAX_FRAME_BYTES) return `a frame of ${length} bytes`;
      const start = at + FRAME_HEADER_BYTES;
      if (start + length > bytes.length) break;
      const id = number4(bytes.subarray(at + 5)) & 0x7fff_ffff;
      sink.onFrame(first & 0xff, bytes[at + 4] as number, id, bytes.subarray(start, start + length)); // header is whole
      at = start + length;
    }
    this.#held = at < bytes.length ? bytes.slice(at) : NOTHING;
    return "";
  }
}

/** The first four bytes as a number. */
export function number4(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0);
}

/** @returns the payload without its padding, null when there is more padding than payload */
export function unpadded(flags: number, payload: Uint8Array): Uint8Array | null {
  if ((flags & PADDED) === 0) return payload;
  const pad = payload[0] ?? payload.length;
  return pad + 1 > payload.length ? null : payload.subarray(1, payload.length - pad);
}
