/**
 * Header blocks that consist of table entries alone, by these entries. What a block says stays the same when its indices
 * change, as they do with every entry that a peer adds: after unique trailers, say, the next response head of a gRPC server
 * has other bytes than the last one. Here it is found again, with all that is memoised on it.
 */
import type { HeaderBlock } from "../header_block.ts";
import type { DecoderTable } from "./decoder_table.ts";
import { STATIC_ENTRIES } from "./static_table.ts";

/** Blocks kept for a connection: as many kinds of requests or responses as it commonly has. A power of two. */
const SLOTS = 32;
/** Blocks of more entries are not kept. */
const MAX_ENTRIES = 32;

class IndexedBlock {
  readonly kind: number;
  readonly entries: readonly number[];
  readonly block: HeaderBlock;

  constructor(kind: number, entries: readonly number[], block: HeaderBlock) {
    this.kind = kind;
    this.entries = entries;
    this.block = block;
  }
}

/** Entries of the block last looked for, for all decoders: numbers that are never used twice in a table. */
const sought: number[] = new Array<number>(MAX_ENTRIES).fill(0);

export class IndexedBlocks {
  #slots: (IndexedBlock | null)[] | null = null;
  /** Entries in `sought`; 0 when the block last looked for is not one of entries alone. */
  #count = 0;
  #slot = 0;

  /** The block that buf[start, end) stands for, or null when it is not known, or not of entries alone. */
  find(buf: Uint8Array, start: number, end: number, kind: number, table: DecoderTable): HeaderBlock | null {
    const count = this.#count = readEntries(buf, start, end, table);
    if (count === 0) return null;
    let hash = kind;
    for (let i = 0; i < count; i++) hash = Math.imul(hash ^ (sought[i] as number), 0x01000193); // i < count
    this.#slot = (hash ^ (hash >>> 15)) & (SLOTS - 1);
    const known = this.#slots === null ? null : this.#slots[this.#slot] as IndexedBlock | null; // masked index
    if (known === null || known.kind !== kind || known.entries.length !== count) return null;
    for (let i = 0; i < count; i++) if (known.entries[i] !== sought[i]) return null;
    return known.block;
  }

  /** Keeps what the block last looked for was decoded to, if it is one of entries alone. */
  keep(kind: number, block: HeaderBlock): void {
    if (this.#count === 0) return;
    this.#slots ??= new Array<IndexedBlock | null>(SLOTS).fill(null);
    this.#slots[this.#slot] = new IndexedBlock(kind, sought.slice(0, this.#count), block);
  }
}

/** Reads the entries that a block refers to into `sought`; returns how many, 0 when there is anything else in it. */
function readEntries(buf: Uint8Array, start: number, end: number, table: DecoderTable): number {
  let count = 0;
  for (let at = start; at < end;) {
    const first = buf[at++] as number; // at < end
    if (first < 0x80 || count === MAX_ENTRIES) return 0;
    let index = first & 0x7f;
    if (index === 0x7f) {
      const more = at < end ? buf[at++] as number : 0x80; // at < end
      if (more >= 0x80) return 0;
      index += more;
    }
    if (index > STATIC_ENTRIES) {
      const i = index - STATIC_ENTRIES - 1;
      if (i >= table.count) return 0;
      index = STATIC_ENTRIES + 1 + table.numberOf(i);
    } else if (index === 0) return 0;
    sought[count++] = index;
  }
  return count;
}
