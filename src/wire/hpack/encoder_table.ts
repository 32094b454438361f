/**
 * The dynamic table as an encoder sees it: which (name, value) the peer's decoder holds, and under which index.
 *
 * An entry has a number, counted from 1 in the order of insertion; it is alive while its number is above those evicted.
 * Finding is by hash over a window of slots; dead slots are simply overwritten, so eviction has no slots to clean.
 */
import { DEFAULT_TABLE_BYTES, ENTRY_OVERHEAD, STATIC_ENTRIES } from "./static_table.ts";

/** Most bytes we use of what a peer offers: its cost is ours too, and more indexes nothing that repeats often. */
export const MAX_TABLE_BYTES = DEFAULT_TABLE_BYTES;
/** Entries that fit at most: 4096 / 32. */
const RING = MAX_TABLE_BYTES / ENTRY_OVERHEAD;
/** Slots to find entries by: twice the entries, so that windows seldom fill. */
const SLOTS = 2 * RING;
/** Slots tried for a hash. When all hold live entries, the field stays a literal. */
const WINDOW = 4;

export class EncoderTable {
  /** Changes with the table: an index, hence an encoded block, is good only while it stays. */
  epoch = 0;
  /** Number of the newest entry. */
  newest = 0;
  #evicted = 0;
  #bytes = 0;
  #maxBytes = DEFAULT_TABLE_BYTES;
  readonly #names: string[] = [];
  readonly #values: string[] = [];
  /** Per slot: number of the entry (which may pass 2^31), and its hash. Made with the first entry. */
  #numbers: number[] = [];
  #hashes: number[] = [];

  /** Number of the live entry (name, value), or 0 when there is none; `hash` is what `add` was given. */
  find(hash: number, name: string, value: string): number {
    if (this.newest === this.#evicted) return 0;
    for (let i = 0; i < WINDOW; i++) {
      const slot = (hash + i) & (SLOTS - 1);
      const number = this.#numbers[slot] as number; // masked index
      if (number <= this.#evicted || this.#hashes[slot] !== hash) continue;
      const at = number & (RING - 1);
      if (this.#values[at] === value && this.#names[at] === name) return number;
    }
    return 0;
  }

  /** Index on the wire of the entry with this number, or 0 when it was evicted (or is 0). */
  indexOf(number: number): number {
    return number > this.#evicted ? STATIC_ENTRIES + 1 + this.newest - number : 0;
  }

  /** Whether `add` would keep the entry and find it again, without emptying the better part of the table for it. */
  takes(hash: number, name: string, value: string): boolean {
    if (name.length + value.length + ENTRY_OVERHEAD > this.#maxBytes >> 1) return false;
    if (this.newest === this.#evicted) return true;
    for (let i = 0; i < WINDOW; i++) {
      if ((this.#numbers[(hash + i) & (SLOTS - 1)] as number) <= this.#evicted) return true; // masked index
    }
    return false;
  }

  /** Adds an entry as the decoder will; only after `takes` said so. Returns its number. */
  add(hash: number, name: string, value: string): number {
    if (this.#numbers.length === 0) {
      this.#numbers = new Array(SLOTS).fill(0);
      this.#hashes = new Array(SLOTS).fill(0);
    }
    const bytes = name.length + value.length + ENTRY_OVERHEAD;
    this.#evict(this.#maxBytes - bytes);
    const number = ++this.newest;
    this.epoch++;
    this.#names[number & (RING - 1)] = name;
    this.#values[number & (RING - 1)] = value;
    this.#bytes += bytes;
    let slot = hash & (SLOTS - 1);
    for (let i = 0; i < WINDOW; i++) {
      slot = (hash + i) & (SLOTS - 1);
      const held = this.#numbers[slot] as number; // masked index
      if (held <= this.#evicted) break;
    }
    this.#numbers[slot] = number;
    this.#hashes[slot] = hash;
    return number;
  }

  /** Changes the size limit, at most MAX_TABLE_BYTES. */
  resize(maxBytes: number): void {
    this.epoch++;
    this.#maxBytes = maxBytes;
    this.#evict(maxBytes);
  }

  #evict(keepBytes: number): void {
    while (this.#bytes > keepBytes && this.#evicted < this.newest) {
      const at = ++this.#evicted & (RING - 1);
      const name = this.#names[at] as string; // a live entry
      const value = this.#values[at] as string;
      this.#bytes -= name.length + value.length + ENTRY_OVERHEAD;
      this.#names[at] = "";
      this.#values[at] = "";
    }
  }
}
