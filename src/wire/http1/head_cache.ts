import { copyBytes } from "../../base/latin1.ts";

/** Longest head that is remembered (bytes): repeated heads are short, long ones carry tokens and cookies that vary. */
export const MAX_CACHED_HEAD_BYTES = 1024;

/** Default number of slots; a power of two. With heads of typical size the bytes stay below 100 KiB. */
const DEFAULT_SLOTS = 256;

/** Bytes that the hash looks at, evenly spread: enough to tell routes apart, the comparison does the rest. */
const SAMPLES = 16;

/** Above this the runtime's comparison beats a loop (289 bytes: 56 ns against 85, measured on Bun 1.4.5). */
const LOOP_BYTES = 160;

const compare: (
  this: Uint8Array,
  target: Uint8Array,
  targetStart: number,
  targetEnd: number,
  start: number,
  end: number,
) => number = Buffer.prototype.compare;

class Slot<T> {
  /** Hash of the remembered head. */
  hash = -1;
  /** Hash of the last head that missed here; it is remembered only when it comes a second time. */
  candidate = -1;
  length = 0;
  bytes: Uint8Array = NO_BYTES;
  value: T | null = null;
}

const NO_BYTES = new Uint8Array(0);

type Parse<T> = (buf: Uint8Array, start: number, end: number) => T | number;

/**
 * Remembers what repeated heads decoded to, so that identical bytes give the identical object and its memo slots.
 *
 * Direct-mapped: a head that comes twice in a row to its slot takes it over. Heads that never repeat (unique request ids) cost
 * one hash and mostly no copy. A hit is decided by comparing all bytes, never by the hash.
 */
export class HeadCache<T> {
  /** Filled as heads come, since there is a cache for each endpoint and most see few heads. */
  readonly #slots: (Slot<T> | null)[];
  readonly #mask: number;

  /** @param slots how many heads are remembered at most; a power of two */
  constructor(slots: number = DEFAULT_SLOTS) {
    this.#mask = slots - 1;
    this.#slots = new Array<Slot<T> | null>(slots).fill(null);
  }

  /** What was put for exactly the bytes [start, end), or null. Allocates nothing. */
  get(buf: Uint8Array, start: number, end: number): T | null {
    if (end - start > MAX_CACHED_HEAD_BYTES) return null;
    const hash = hashOf(buf, start, end);
    const slot = this.#slots[hash & this.#mask] as Slot<T> | null; // masked to the slots
    if (slot === null || slot.hash !== hash || slot.length !== end - start) return null;
    return isSame(slot.bytes, buf, start, slot.length) ? slot.value : null;
  }

  /**
   * What the bytes [start, end) are: as remembered, or parsed now.
   *
   * @param parse gives a value or, for malformed bytes, a negative code, which is not remembered
   */
  read(buf: Uint8Array, start: number, end: number, parse: Parse<T>): T | number {
    const known = this.get(buf, start, end);
    if (known !== null) return known;
    const parsed = parse(buf, start, end);
    if (typeof parsed !== "number") this.put(buf, start, end, parsed);
    return parsed;
  }

  /**
   * Remembers a value for the bytes [start, end) when they come the second time; the bytes are copied.
   *
   * @returns whether it did
   */
  put(buf: Uint8Array, start: number, end: number, value: T): boolean {
    const length = end - start;
    if (length > MAX_CACHED_HEAD_BYTES) return false;
    const hash = hashOf(buf, start, end);
    const at = hash & this.#mask;
    const slot = this.#slots[at] ??= new Slot<T>();
    if (slot.candidate !== hash) {
      slot.candidate = hash;
      return false;
    }
    if (slot.bytes.length < length) slot.bytes = new Uint8Array(length);
    copyBytes(buf, start, end, slot.bytes, 0);
    slot.hash = hash;
    slot.length = length;
    slot.value = value;
    return true;
  }
}

/** Hash of the length and the samples; 31 bits, so never the -1 of an empty slot. */
function hashOf(buf: Uint8Array, start: number, end: number): number {
  const length = end - start;
  let h = length;
  const step = ((length / SAMPLES) | 0) + 1;
  for (let i = start; i < end; i += step) h = (Math.imul(h, 31) + (buf[i] as number)) | 0; // the caller's range
  return (h ^ (h >>> 15)) & 0x7fffffff;
}

function isSame(a: Uint8Array, b: Uint8Array, start: number, length: number): boolean {
  if (length > LOOP_BYTES) return compare.call(a, b, start, start + length, 0, length) === 0;
  for (let i = 0; i < length; i++) if (a[i] !== b[start + i]) return false;
  return true;
}
