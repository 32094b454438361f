/** Cheap identity of byte ranges for the caches: a sampled hash to find a slot, and an exact comparison to be sure. */

/** Bytes looked at beside the length; what differs elsewhere only shares a slot, which the comparison then tells apart. */
const SAMPLES = 16;

/** A 32-bit hash of the length and at most about 2 × SAMPLES of the bytes. An adversary can make collisions, to no gain. */
export function fingerprint(buf: Uint8Array, start: number, end: number): number {
  const length = end - start;
  const step = length <= SAMPLES ? 1 : (length / SAMPLES) | 0;
  let hash = length;
  for (let i = start; i < end; i += step) hash = Math.imul(hash ^ (buf[i] as number), 0x01000193); // i < end
  return hash ^ (hash >>> 15);
}

/** Whether buf[start, start + bytes.length) holds `bytes`; the range is within `buf`. */
export function equalBytes(bytes: Uint8Array, buf: Uint8Array, start: number): boolean {
  let at = start;
  for (let i = 0; i < bytes.length; i++) if (bytes[i] !== buf[at++]) return false;
  return true;
}

/** A copy of buf[start, end) that shares nothing with it. */
export function copyOf(buf: Uint8Array, start: number, end: number): Uint8Array {
  const copy = new Uint8Array(end - start);
  for (let i = start; i < end; i++) copy[i - start] = buf[i] as number; // i < end
  return copy;
}
