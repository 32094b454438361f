/** Cheap identity of byte ranges for the caches: a sampled hash to find a slot, and an exact comparison to be sure. */
import { compareBytes, copyBytes } from "../../base/latin1.ts";

/** Up to this length all bytes count: a block of indices alone, where one byte is the difference between two calls. */
const WHOLE_BYTES = 24;
/** Beyond it so many bytes or some more count. What differs elsewhere shares a hash, and the comparison tells it apart. */
const SAMPLES = 8;

/** A 32-bit hash of the length and some or all of the bytes. An adversary can make collisions, to no gain. */
export function fingerprint(buf: Uint8Array, start: number, end: number): number {
  const length = end - start;
  const step = length <= WHOLE_BYTES ? 1 : (length / SAMPLES) | 0;
  let hash = length;
  for (let i = start; i < end; i += step) hash = Math.imul(hash ^ (buf[i] as number), 0x01000193); // i < end
  return hash ^ (hash >>> 15);
}

/** From here on a call to compare beats the loop (measured on Bun 1.4.5: 41 ns against 59 at 120 bytes, 39 against 32 at 59). */
const NATIVE_BYTES = 72;

/** Whether buf[start, start + bytes.length) holds `bytes`; the range is within `buf`. */
export function equalBytes(bytes: Uint8Array, buf: Uint8Array, start: number): boolean {
  const { length } = bytes;
  if (length >= NATIVE_BYTES) return compareBytes(bytes, buf, start);
  let i = 0;
  let at = start;
  for (; i + 4 <= length; i += 4, at += 4) { // four at once: half the branches; all indices are in range
    const a = (bytes[i] as number) ^ (buf[at] as number);
    const b = (bytes[i + 1] as number) ^ (buf[at + 1] as number);
    const c = (bytes[i + 2] as number) ^ (buf[at + 2] as number);
    const d = (bytes[i + 3] as number) ^ (buf[at + 3] as number);
    if ((a | b | c | d) !== 0) return false;
  }
  for (; i < length; i++) if (bytes[i] !== buf[at++]) return false;
  return true;
}

/** A copy of buf[start, end) that shares nothing with it. */
export function copyOf(buf: Uint8Array, start: number, end: number): Uint8Array {
  const copy = new Uint8Array(end - start);
  copyBytes(buf, start, end, copy, 0);
  return copy;
}
