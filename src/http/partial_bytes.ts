/** Bytes of a message whose end has not arrived. Holds nothing while empty. */

const EMPTY = new Uint8Array(0);
const FIRST_BYTES = 2048;

export class PartialBytes {
  /** Holds `length` bytes from 0 on; stays valid after `clear`, for the one who reads it. */
  buffer: Uint8Array = EMPTY;
  length = 0;

  /** Adds a copy of bytes; grows by doubling, so that many small pieces cost linear time. */
  append(bytes: Uint8Array, start: number, end: number): void {
    const needed = this.length + end - start;
    if (needed > this.buffer.length) {
      const larger = new Uint8Array(Math.max(FIRST_BYTES, 2 * needed));
      larger.set(this.buffer.subarray(0, this.length));
      this.buffer = larger;
    }
    this.buffer.set(bytes.subarray(start, end), this.length);
    this.length = needed;
  }

  /** Forgets the bytes. */
  clear(): void {
    this.buffer = EMPTY;
    this.length = 0;
  }
}
