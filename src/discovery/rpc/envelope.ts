/**
 * Messages of a Connect stream: flags (1) | length (4, big-endian) | message. Compression is never offered, so never taken.
 */

/** Largest message: an inbound policy or a destination with thousands of endpoints stays far below. */
export const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;
const HEADER_BYTES = 5;
const COMPRESSED = 1;
const END_STREAM = 2;

/** Receives what the bytes contain. */
export interface EnvelopeSink {
  /** The view is only valid during the call. */
  onMessage(message: Uint8Array): void;
  /** The last envelope: JSON. */
  onEndStream(json: Uint8Array): void;
}

/** Frames a message. */
export function envelope(message: Uint8Array): Uint8Array {
  const out = new Uint8Array(HEADER_BYTES + message.length);
  new DataView(out.buffer).setUint32(1, message.length);
  out.set(message, HEADER_BYTES);
  return out;
}

/** Puts messages together from any pieces. */
export class EnvelopeReader {
  #held: Uint8Array = new Uint8Array(0);

  /** @returns "" or why the stream cannot go on */
  push(bytes: Uint8Array, sink: EnvelopeSink): string {
    const all = this.#held.length === 0 ? bytes : concat(this.#held, bytes);
    let at = 0;
    while (all.length - at >= HEADER_BYTES) {
      const flags = all[at] as number; // in range
      const length = new DataView(all.buffer, all.byteOffset + at + 1, 4).getUint32(0);
      if ((flags & COMPRESSED) !== 0) return "a compressed message, though none was offered";
      if (length > MAX_MESSAGE_BYTES) return `a message of ${length} bytes, at most ${MAX_MESSAGE_BYTES} are taken`;
      const start = at + HEADER_BYTES;
      if (all.length - start < length) break;
      const message = all.subarray(start, start + length);
      if ((flags & END_STREAM) !== 0) sink.onEndStream(message);
      else sink.onMessage(message);
      at = start + length;
    }
    this.#held = at === all.length ? NOTHING : all.slice(at);
    return "";
  }
}

const NOTHING = new Uint8Array(0);

function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  const out = new Uint8Array(a.length + b.length);
  out.set(a);
  out.set(b, a.length);
  return out;
}
