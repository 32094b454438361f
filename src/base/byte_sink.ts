/**
 * A growing run of bytes that writers append to: the out buffer of a connection, or a scratch.
 *
 * Its fields are public because the hot writers reserve once and then store bytes themselves.
 */
import { copyBytes } from "./latin1.ts";

/** First size of a buffer that starts empty: most heads and control frames fit. */
const FIRST_BYTES = 256;

const EMPTY = new Uint8Array(0);

/** Where a sink gets a larger buffer from, and gives the one to that it has outgrown. */
export interface BufferPool {
  /** A buffer of at least so many bytes, of any content. */
  take(bytes: number): Uint8Array;
  give(buffer: Uint8Array): void;
}

export class ByteSink {
  /** Where the bytes are: [0, length) is written, the rest is free. Replaced when it grows. */
  buffer: Uint8Array;
  /** Bytes written. */
  length = 0;

  readonly #pool: BufferPool | null;

  /**
   * @param capacity bytes to start with; 0 is fine
   * @param pool null: buffers are made, and left to the collector
   */
  constructor(capacity: number, pool: BufferPool | null = null) {
    this.buffer = capacity === 0 ? EMPTY : uninitialised(capacity);
    this.#pool = pool;
  }

  /** Makes room for `bytes` more, by doubling and copying when there is none. Bounds are the caller's business. */
  reserve(bytes: number): void {
    const need = this.length + bytes;
    if (need > this.buffer.length) this.#grow(need);
  }

  put1(value: number): void {
    this.reserve(1);
    this.buffer[this.length++] = value;
  }

  /** Appends a 24-bit number, big-endian. */
  put3(value: number): void {
    this.reserve(3);
    const { buffer, length } = this;
    buffer[length] = value >>> 16;
    buffer[length + 1] = value >>> 8;
    buffer[length + 2] = value;
    this.length = length + 3;
  }

  /** Appends a 32-bit number, big-endian. */
  put4(value: number): void {
    this.reserve(4);
    const { buffer, length } = this;
    buffer[length] = value >>> 24;
    buffer[length + 1] = value >>> 16;
    buffer[length + 2] = value >>> 8;
    buffer[length + 3] = value;
    this.length = length + 4;
  }

  /** Appends src[start, end). */
  append(src: Uint8Array, start: number, end: number): void {
    this.reserve(end - start);
    copyBytes(src, start, end, this.buffer, this.length);
    this.length += end - start;
  }

  /** Appends text of ASCII characters, such as a constant of a protocol. */
  appendAscii(text: string): void {
    this.reserve(text.length);
    for (let i = 0; i < text.length; i++) this.buffer[this.length++] = text.charCodeAt(i);
  }

  /** Forgets what was written and keeps the buffer. */
  reset(): void {
    this.length = 0;
  }

  #grow(need: number): void {
    const { buffer } = this;
    const pool = this.#pool;
    const bytes = Math.max(need, buffer.length * 2, FIRST_BYTES);
    const grown = pool === null ? uninitialised(bytes) : pool.take(bytes); // only [0, length) is ever read
    copyBytes(buffer, 0, this.length, grown, 0);
    this.buffer = grown;
    pool?.give(buffer);
  }
}

/** Up to here zeroing costs less than the ArrayBuffer that is needed to go without (measured: 0.1 µs against 3). */
const ZEROED_BYTES = 4096;

/**
 * Bytes of any content (measured: zeroing is a tenth of a bulk transfer). A plain Uint8Array: `slice` of a Buffer would be
 * a view.
 */
export function uninitialised(bytes: number): Uint8Array {
  if (bytes <= ZEROED_BYTES) return new Uint8Array(bytes);
  return new Uint8Array(Buffer.allocUnsafeSlow(bytes).buffer, 0, bytes);
}
