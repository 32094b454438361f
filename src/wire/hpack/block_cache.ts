/**
 * Header blocks by their encoded bytes: a peer that repeats itself gets the object of last time, with all that is memoised
 * on it. Traded: memory (bounded below) for decoding, checking and routing again.
 */
import type { HeaderBlock } from "../header_block.ts";
import { copyOf, equalBytes, fingerprint } from "./fingerprint.ts";

/** Longer blocks are not kept: what repeats is mostly indexed, hence short. */
export const MAX_CACHED_BLOCK_BYTES = 1024;
/** Blocks kept: more than the distinct calls a connection has in hand. At worst 128 × (1 KiB + the block) a connection. */
const SLOTS = 128;
/** Slots that a hash may be in: as many blocks live side by side that differ only in bytes the hash does not see. */
const WAYS = 4;

class CachedBlock {
  readonly bytes: Uint8Array;
  readonly kind: number;
  /** Table epoch it holds for, -1: any, since it refers to no dynamic entry. */
  readonly epoch: number;
  readonly block: HeaderBlock;
  /** Entries that each decoding adds to the table, null: none. */
  readonly additions: TableAddition[] | null;

  constructor(bytes: Uint8Array, kind: number, epoch: number, block: HeaderBlock, additions: TableAddition[] | null) {
    this.bytes = bytes;
    this.kind = kind;
    this.epoch = epoch;
    this.block = block;
    this.additions = additions;
  }
}

/** An entry to add to the decoder's table. */
export interface TableAddition {
  readonly name: string;
  readonly value: string;
  readonly classes: number;
}

export class BlockCache {
  #slots: (CachedBlock | null)[] | null = null;
  /** Hash last seen for each slot: a block is kept from its second time on, so unique ones evict nothing. */
  #seen: Int32Array | null = null;
  #hash = 0;
  /** Slot that holds the bytes last looked for, for an epoch that is over; -1: none. */
  #stale = -1;

  /** The entry for buf[start, end) (not longer than the limit) under the present epoch, or null. */
  find(buf: Uint8Array, start: number, end: number, kind: number, epoch: number): CachedBlock | null {
    const hash = (this.#hash = fingerprint(buf, start, end));
    this.#stale = -1;
    const slots = this.#slots;
    if (slots === null) return null;
    const first = hash & (SLOTS - WAYS);
    for (let slot = first; slot < first + WAYS; slot++) {
      const entry = slots[slot] as CachedBlock | null; // within a set
      if (entry === null) return null;
      if (entry.bytes.length !== end - start || entry.kind !== kind || !equalBytes(entry.bytes, buf, start)) continue;
      if (entry.epoch === epoch || entry.epoch === -1) return entry;
      this.#stale = slot;
      return null;
    }
    return null;
  }

  /** Whether the bytes last looked for come for the second time at least, so that they are worth keeping. */
  get wants(): boolean {
    const slot = this.#hash & (SLOTS - 1);
    this.#seen ??= new Int32Array(SLOTS);
    if (this.#seen[slot] === this.#hash) return true;
    this.#seen[slot] = this.#hash;
    return false;
  }

  /** Keeps what the bytes last looked for decoded to, in place of the oldest of its set; see CachedBlock for the parameters. */
  keep(
    buf: Uint8Array,
    start: number,
    end: number,
    kind: number,
    epoch: number,
    block: HeaderBlock,
    additions: TableAddition[] | null,
  ): void {
    const slots = this.#slots ??= new Array(SLOTS).fill(null);
    const first = this.#hash & (SLOTS - WAYS);
    const last = this.#stale >= 0 ? this.#stale : first + WAYS - 1;
    for (let slot = last; slot > first; slot--) slots[slot] = slots[slot - 1] as CachedBlock | null; // in the set
    slots[first] = new CachedBlock(copyOf(buf, start, end), kind, epoch, block, additions);
  }
}
