/**
 * The decoder of one connection's header blocks (RFC 7541), strict about the HTTP rules too (RFC 9113 §8).
 *
 * A block whose bytes were seen before, and that refers to no table entry that has changed since, is found in a cache and
 * costs neither decoding nor checks; what it adds to the table is added again. All else goes through one loop over the representations.
 */
import type { HeaderBlock } from "../header_block.ts";
import { latin1 } from "../../base/latin1.ts";
import { BlockCache, MAX_CACHED_BLOCK_BYTES, type TableAddition } from "./block_cache.ts";
import { DecoderTable } from "./decoder_table.ts";
import { classOfField, classOfName, INVALID, isClean } from "./field_class.ts";
import { decodeHuffman, maxDecodedBytes } from "./huffman_decode.ts";
import { IndexedBlocks } from "./indexed_blocks.ts";
import { cachedName, keepName } from "./name_cache.ts";
import { type BlockKind, Section } from "./section.ts";
import { ENTRY_OVERHEAD, STATIC_ENTRIES, STATIC_NAMES, STATIC_VALUES } from "./static_table.ts";

export { type BlockKind, REQUEST, RESPONSE, TRAILERS } from "./section.ts";

/** The table is out of step, or the block is not HPACK: connection error COMPRESSION_ERROR (RFC 9113 §4.3). */
export const COMPRESSION_ERROR = -1;
/** The section breaks a rule of HTTP: stream error PROTOCOL_ERROR (RFC 9113 §8.1.1). */
export const MALFORMED = -2;
/** The section is larger than the limits: answer 431 or reset the stream. */
export const TOO_LARGE = -3;

/** Bounds on one decoder. */
export interface DecoderLimits {
  /** What we advertise as SETTINGS_HEADER_TABLE_SIZE, bytes. A peer may use the default of 4096 until it says otherwise. */
  readonly maxTableSize: number;
  /** Largest section, bytes as RFC 9113 §6.5.2 counts them (names + values + 32 a field). */
  readonly maxListBytes: number;
  /** Most fields in a section. */
  readonly maxFields: number;
}

/** Class of each static entry's name << 4 | class of the field. */
const STATIC_CLASSES: readonly number[] = STATIC_NAMES.map((name, i) => {
  const nameClass = classOfName(name);
  return (nameClass << 4) | classOfField(nameClass, STATIC_VALUES[i] as string, true); // same length
});
/** Largest number in a block; what is beyond is wrong whatever it stands for. */
const MAX_INTEGER = 0x7fff_ffff;
/** Continuation bytes of an integer: five hold 35 bits, so more is padding without a purpose. */
const MAX_CONTINUATION_SHIFT = 28;
/** Changes of the table's size in one block: two are all that an encoder has to say (RFC 7541 §4.2); each may empty the table. */
const MAX_SIZE_UPDATES = 8;
/** First size of the scratch for Huffman-decoded bytes; it grows to 1.6 times the largest string and is shared by all. */
const FIRST_SCRATCH_BYTES = 1024;

let scratch = new Uint8Array(FIRST_SCRATCH_BYTES);
const section = new Section();

export class HpackDecoder {
  readonly #limits: DecoderLimits;
  readonly #table = new DecoderTable();
  readonly #cache = new BlockCache();
  readonly #indexed = new IndexedBlocks();
  /** Results of the readers below: where the next byte is (-1: error), and what was found. */
  #next = 0;
  #clean = true;
  #nameClass = 0;

  constructor(limits: DecoderLimits) {
    this.#limits = limits;
  }

  /**
   * Decodes the header block buf[start, end), all fragments together.
   *
   * @returns the section, the same object for the same bytes where possible; or COMPRESSION_ERROR, MALFORMED or TOO_LARGE.
   *   After the latter two the table is in step and the connection can go on.
   */
  decode(buf: Uint8Array, start: number, end: number, kind: BlockKind): HeaderBlock | number {
    if (end - start > MAX_CACHED_BLOCK_BYTES) return this.#decode(buf, start, end, kind, false);
    const known = this.#cache.find(buf, start, end, kind, this.#table.epoch);
    if (known === null) {
      const block = this.#indexed.find(buf, start, end, kind, this.#table);
      return block ?? this.#decode(buf, start, end, kind, this.#cache.wants);
    }
    if (known.additions !== null) {
      for (let i = 0; i < known.additions.length; i++) {
        const { name, value, classes } = known.additions[i] as TableAddition; // in range
        this.#table.add(name, value, classes);
      }
    }
    return known.block;
  }

  #decode(buf: Uint8Array, start: number, end: number, kind: BlockKind, keep: boolean): HeaderBlock | number {
    const table = this.#table;
    let at = start;
    for (let updates = 0; at < end && ((buf[at] as number) & 0xe0) === 0x20; updates++) { // at < end
      if (updates === MAX_SIZE_UPDATES) return COMPRESSION_ERROR;
      const size = this.#readInteger(buf, at, end, 0x1f);
      at = this.#next;
      if (at < 0 || size > this.#limits.maxTableSize) return COMPRESSION_ERROR;
      table.resize(size);
    }
    const resized = at > start;
    const epoch = table.epoch;
    let additions: TableAddition[] | null = null;
    section.begin(kind);
    let bytesLeft = this.#limits.maxListBytes;
    let fieldsLeft = this.#limits.maxFields;
    let dynamic = false;
    while (at < end) {
      const first = buf[at] as number; // at < end
      let name: string;
      let value: string;
      let cls: number;
      if (first >= 0x80) { // indexed field (RFC 7541 §6.1)
        let index = first & 0x7f;
        if (index === 0x7f) {
          index = this.#readInteger(buf, at, end, 0x7f);
          at = this.#next;
          if (at < 0) return COMPRESSION_ERROR;
        } else at++;
        if (index <= STATIC_ENTRIES) {
          if (index === 0) return COMPRESSION_ERROR;
          name = STATIC_NAMES[index] as string; // index ≤ STATIC_ENTRIES
          value = STATIC_VALUES[index] as string;
          cls = STATIC_CLASSES[index] as number;
        } else {
          index -= STATIC_ENTRIES + 1;
          if (index >= table.count) return COMPRESSION_ERROR;
          name = table.name(index);
          value = table.value(index);
          cls = table.classes(index);
          dynamic = true;
        }
        cls &= 15;
      } else { // literal (§6.2)
        const adds = first >= 0x40;
        if (!adds && first >= 0x20) return COMPRESSION_ERROR; // a size update is allowed at the start only (§4.2)
        const mask = adds ? 0x3f : 0x0f;
        let index = first & mask;
        if (index === mask) {
          index = this.#readInteger(buf, at, end, mask);
          at = this.#next;
          if (at < 0) return COMPRESSION_ERROR;
        } else at++;
        let nameClass: number;
        if (index === 0) {
          name = this.#readName(buf, at, end);
          at = this.#next;
          if (at < 0) return COMPRESSION_ERROR;
          nameClass = this.#nameClass;
        } else if (index <= STATIC_ENTRIES) {
          name = STATIC_NAMES[index] as string; // index ≤ STATIC_ENTRIES
          nameClass = (STATIC_CLASSES[index] as number) >> 4;
        } else {
          index -= STATIC_ENTRIES + 1;
          if (index >= table.count) return COMPRESSION_ERROR;
          name = table.name(index);
          nameClass = table.classes(index) >> 4;
          dynamic = true;
        }
        value = this.#readString(buf, at, end);
        at = this.#next;
        if (at < 0) return COMPRESSION_ERROR;
        cls = classOfField(nameClass, value, this.#clean);
        if (adds) {
          const classes = (nameClass << 4) | cls;
          table.add(name, value, classes);
          if (keep && !dynamic) (additions ??= []).push({ name, value, classes });
        } else if (first >= 0x10 && fieldsLeft > 0) section.addSensitive(name);
      }
      bytesLeft -= name.length + value.length + ENTRY_OVERHEAD;
      if (--fieldsLeft >= 0 && bytesLeft >= 0) section.add(cls, name, value);
    }
    if (fieldsLeft < 0 || bytesLeft < 0) return TOO_LARGE;
    const block = section.finish();
    if (block === null) return MALFORMED;
    if (end - start <= MAX_CACHED_BLOCK_BYTES) this.#indexed.keep(kind, block);
    // What refers to the table holds while the table stays, hence not when it adds to it too.
    if (keep && !resized && (!dynamic || table.epoch === epoch)) {
      this.#cache.keep(buf, start, end, kind, dynamic ? epoch : -1, block, additions);
    }
    return block;
  }

  /** An integer whose prefix is full or not (RFC 7541 §5.1); sets #next. */
  #readInteger(buf: Uint8Array, start: number, end: number, mask: number): number {
    let value = (buf[start] as number) & mask; // start < end
    let at = start + 1;
    if (value === mask) {
      for (let shift = 0;; shift += 7) {
        if (at >= end || shift > MAX_CONTINUATION_SHIFT) return this.#fail();
        const byte = buf[at++] as number; // at < end
        value += (byte & 0x7f) * 2 ** shift;
        if (byte < 0x80) break;
      }
      if (value > MAX_INTEGER) return this.#fail();
    }
    this.#next = at;
    return value;
  }

  #fail(): number {
    this.#next = -1;
    return 0;
  }

  /** Length of the string at `at` (§5.2); sets #next to its first byte, or to -1 when it does not fit. */
  #readLength(buf: Uint8Array, at: number, end: number): number {
    if (at >= end) return this.#fail();
    const short = (buf[at] as number) & 0x7f; // at < end
    let length = short;
    if (short < 0x7f) this.#next = at + 1;
    else {
      length = this.#readInteger(buf, at, end, 0x7f);
      if (this.#next < 0) return 0;
    }
    return length > end - this.#next ? this.#fail() : length;
  }

  /** A string as a value; sets #next and #clean. */
  #readString(buf: Uint8Array, at: number, end: number): string {
    const length = this.#readLength(buf, at, end);
    const from = this.#next;
    if (from < 0) return "";
    this.#next = from + length;
    if ((buf[at] as number) < 0x80) { // at < end, or #next were -1
      this.#clean = isClean(buf, from, from + length);
      return latin1(buf, from, from + length);
    }
    const most = maxDecodedBytes(length);
    if (scratch.length < most) scratch = new Uint8Array(most);
    const decoded = decodeHuffman(buf, from, from + length, scratch);
    if (decoded < 0) {
      this.#next = -1;
      return "";
    }
    this.#clean = (decoded & 1) === 0;
    return latin1(scratch, 0, decoded >> 1);
  }

  /** A string as a name; sets #next and #nameClass. */
  #readName(buf: Uint8Array, at: number, end: number): string {
    const length = this.#readLength(buf, at, end);
    const from = this.#next;
    if (from < 0) return "";
    const huffman = (buf[at] as number) >= 0x80; // at < end, or #next were -1
    const known = cachedName(buf, from, from + length, huffman);
    if (known !== null) {
      this.#next = from + length;
      this.#nameClass = known.nameClass;
      return known.name;
    }
    const name = this.#readString(buf, at, end);
    if (this.#next < 0) return "";
    this.#nameClass = classOfName(name);
    return this.#nameClass === INVALID ? name : keepName(buf, from, from + length, huffman, name, this.#nameClass);
  }
}
