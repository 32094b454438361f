/** Buckets by a key that clients choose (a header's value) or prove (their identity), bounded whatever they send. */
import { Bucket } from "./bucket.ts";

/** Buckets of one table: at some 200 bytes each, below a megabyte. */
const MAX_BUCKETS = 4096;
/** Longer keys are kept as their hash: a header may have kilobytes. */
const MAX_KEY_LENGTH = 128;
/** Old buckets that are looked at when a new one needs room. */
const LOOKS = 8;

/**
 * When the table is full, buckets that are full again make room, which changes nothing. While there are none, keys that are
 * new share one bucket: they get less than they should, together, and whoever sends many keys gains nothing by it.
 */
export class BucketTable {
  readonly #max: number;
  /** Least recently used first. */
  readonly #buckets = new Map<string, Bucket>();
  readonly #shared = new Bucket();

  constructor(max = MAX_BUCKETS) {
    this.#max = max;
  }

  get size(): number {
    return this.#buckets.size;
  }

  /** The bucket of a key. */
  get(key: string, nowMs: number): Bucket {
    const name = key.length > MAX_KEY_LENGTH ? `#${Bun.hash.wyhash(key).toString(36)}` : key;
    const known = this.#buckets.get(name);
    if (known !== undefined) {
      this.#buckets.delete(name);
      this.#buckets.set(name, known);
      return known;
    }
    if (this.#buckets.size >= this.#max && !this.#makeRoom(nowMs)) return this.#shared;
    const bucket = new Bucket();
    this.#buckets.set(name, bucket);
    return bucket;
  }

  #makeRoom(nowMs: number): boolean {
    let looks = LOOKS;
    for (const [name, bucket] of this.#buckets) {
      if (bucket.isFull(nowMs)) {
        this.#buckets.delete(name);
        return true;
      }
      if (--looks === 0) return false;
    }
    return false;
  }
}
