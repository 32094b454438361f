/**
 * The encoder of one connection's header blocks (RFC 7541).
 *
 * A field enters the dynamic table on its second use, so that values which never come again (request ids, trace contexts)
 * push nothing useful out; a name without a static index enters on its second use too, with whatever value it then has.
 * The bytes of a block that repeats are kept for as long as the table stays as it is.
 */
import type { ByteSink } from "../../base/byte_sink.ts";
import type { HeaderBlock } from "../header_block.ts";
import { EncoderTable, MAX_TABLE_BYTES } from "./encoder_table.ts";
import { copyOf } from "./fingerprint.ts";
import { putInteger, putPlainString, putString } from "./primitives.ts";
import { DEFAULT_TABLE_BYTES, STATIC_ENTRIES, STATIC_INDEX, STATIC_NAMES, STATIC_VALUES } from "./static_table.ts";

/** Names remembered by an encoder; beyond it all are forgotten and learnt again. */
const MAX_NAMES = 256;
/** Hashes of fields that were sent once. Collisions only insert a field too early. */
const ONCE_SLOTS = 256;
/** Blocks whose bytes are kept; beyond it all are dropped and kept again as they come. At most 128 KiB of bytes. */
const MAX_CACHED_BLOCKS = 128;
/** Longer encodings are not kept. */
const MAX_CACHED_BYTES = 1024;
/** Blocks remembered as sent once: one that comes again among so many others has its bytes kept. A power of two. */
const RECENT_BLOCKS = 16;
/**
 * Values that could be guessed byte by byte through the table's effect on length (RFC 7541 §7.1.3) when they are short: up
 * to this many characters they are never indexed. A Basic credential is within, a token of 256 bits is beyond.
 */
const SHORT_SECRETS: ReadonlyMap<string, number> = new Map([
  ["authorization", 42],
  ["proxy-authorization", 42],
  ["cookie", 20],
  ["set-cookie", 20],
]);

class NameState {
  readonly name: string;
  readonly hash: number;
  /** First static index with the name, 0: none. */
  readonly index: number;
  /** Last static index with a value to compare, -1: none. */
  readonly lastValued: number;
  /** Values up to this length are never indexed, -1: all may be. */
  readonly secretLength: number;
  /** Number of the newest table entry with the name. */
  newest = 0;
  /** Value of the entry that was found last, and its number. Names that always have one value need no more. */
  lastValue = "";
  lastNumber = 0;
  /** The name was sent as a literal before. */
  usedOnce = false;

  constructor(name: string) {
    this.name = name;
    this.hash = hashOf(name, 0x811c9dc5);
    this.index = STATIC_INDEX.get(name) ?? 0;
    this.secretLength = SHORT_SECRETS.get(name) ?? -1;
    let last = -1; // below every index: nothing to compare
    for (let i = this.index; i > 0 && i <= STATIC_ENTRIES && STATIC_NAMES[i] === name; i++) {
      if (STATIC_VALUES[i] !== "") last = i;
    }
    this.lastValued = last;
  }
}

class EncodedBlock {
  bytes: Uint8Array;
  /** Table epoch it holds for, -1: any, since it refers to no dynamic entry. */
  epoch: number;

  constructor(bytes: Uint8Array, epoch: number) {
    this.bytes = bytes;
    this.epoch = epoch;
  }
}

export class HpackEncoder {
  readonly #table = new EncoderTable();
  readonly #names = new Map<string, NameState>();
  #once: Int32Array | null = null;
  readonly #blocks = new Map<HeaderBlock, EncodedBlock>();
  readonly #recent: (HeaderBlock | null)[] = new Array(RECENT_BLOCKS).fill(null);
  #recentAt = 0;
  /** Size in force, smallest since the last block (to be announced first), and the wanted one; bytes. */
  #size = DEFAULT_TABLE_BYTES;
  #smallest = DEFAULT_TABLE_BYTES;
  #wanted = DEFAULT_TABLE_BYTES;
  /** The block being written refers to a dynamic entry. */
  #dynamic = false;
  #sensitive: readonly string[] | null = null;
  readonly #method = new NameState(":method");
  readonly #scheme = new NameState(":scheme");
  readonly #authority = new NameState(":authority");
  readonly #path = new NameState(":path");
  readonly #protocol = new NameState(":protocol");
  readonly #status = new NameState(":status");

  /**
   * Takes the peer's SETTINGS_HEADER_TABLE_SIZE, bytes; the next block announces what we make of it (RFC 7541 §4.2).
   * We use 4096 at most.
   */
  setMaxTableSize(bytes: number): void {
    this.#wanted = Math.min(bytes, MAX_TABLE_BYTES);
    this.#smallest = Math.min(this.#smallest, this.#wanted);
  }

  /**
   * Appends the header block for `block`: pseudo-header fields first, `:authority` when not empty, `:scheme http` where a
   * request with a path has none. The block is taken to be valid.
   */
  encode(block: HeaderBlock, sink: ByteSink): void {
    const known = this.#blocks.get(block);
    if (this.#smallest === this.#size && this.#wanted === this.#size) {
      if (known !== undefined && (known.epoch === this.#table.epoch || known.epoch === -1)) {
        sink.append(known.bytes, 0, known.bytes.length);
        return;
      }
    } else this.#putSizes(sink);
    const epoch = this.#table.epoch;
    const start = sink.length;
    this.#dynamic = false;
    this.#sensitive = block.sensitive;
    this.#putStart(block, sink);
    const { fields } = block;
    for (let i = 0; i < fields.length; i += 2) {
      this.#putField(this.#stateOf(fields[i] as string), fields[i + 1] as string, sink); // pairs: both exist
    }
    if (epoch === this.#table.epoch && sink.length - start <= MAX_CACHED_BYTES) this.#keep(block, known, sink, start);
  }

  #putStart(block: HeaderBlock, sink: ByteSink): void {
    if (block.status > 0) this.#putField(this.#status, String(block.status), sink);
    else if (block.method !== "") {
      this.#putField(this.#method, block.method, sink);
      if (block.path !== "") this.#putField(this.#scheme, block.scheme === "" ? "http" : block.scheme, sink);
      if (block.authority !== "") this.#putField(this.#authority, block.authority, sink);
      if (block.path !== "") this.#putField(this.#path, block.path, sink);
      if (block.protocol !== "") this.#putField(this.#protocol, block.protocol, sink);
    }
  }

  #putField(state: NameState, value: string, sink: ByteSink): void {
    const { name } = state;
    for (let i = state.index; i <= state.lastValued; i++) {
      if (STATIC_VALUES[i] === value) return putInteger(sink, 0x80, 0x7f, i);
    }
    const table = this.#table;
    if (value.length <= state.secretLength || (this.#sensitive !== null && this.#sensitive.includes(name))) {
      return this.#putLiteral(sink, 0x10, 0x0f, state, value);
    }
    if (state.lastValue === value) {
      const index = table.indexOf(state.lastNumber);
      if (index > 0) return this.#putDynamic(sink, index);
    }
    const hash = hashOf(value, state.hash);
    const number = table.find(hash, name, value);
    if (number > 0) {
      state.lastValue = value;
      state.lastNumber = number;
      return this.#putDynamic(sink, table.indexOf(number));
    }
    const once = this.#once ??= new Int32Array(ONCE_SLOTS);
    const slot = hash & (ONCE_SLOTS - 1);
    const again = once[slot] === hash ||
      (state.index === 0 && state.usedOnce && table.indexOf(state.newest) === 0);
    once[slot] = hash;
    if (!again || !table.takes(hash, name, value)) {
      this.#putLiteral(sink, 0x00, 0x0f, state, value);
      state.usedOnce = true;
      return;
    }
    this.#putLiteral(sink, 0x40, 0x3f, state, value);
    state.newest = table.add(hash, name, value);
  }

  #putDynamic(sink: ByteSink, index: number): void {
    this.#dynamic = true;
    putInteger(sink, 0x80, 0x7f, index);
  }

  #putLiteral(sink: ByteSink, pattern: number, mask: number, state: NameState, value: string): void {
    let index = state.index;
    if (index === 0) {
      index = this.#table.indexOf(state.newest);
      if (index > 0) this.#dynamic = true;
    }
    putInteger(sink, pattern, mask, index);
    if (index === 0) putString(sink, state.name);
    if (pattern === 0x40) putString(sink, value);
    else putPlainString(sink, value);
  }

  #putSizes(sink: ByteSink): void {
    if (this.#smallest < this.#wanted) {
      putInteger(sink, 0x20, 0x1f, this.#smallest);
      this.#table.resize(this.#smallest);
    }
    putInteger(sink, 0x20, 0x1f, this.#wanted);
    this.#table.resize(this.#wanted);
    this.#size = this.#smallest = this.#wanted;
  }

  #stateOf(name: string): NameState {
    let state = this.#names.get(name);
    if (state === undefined) {
      if (this.#names.size >= MAX_NAMES) this.#names.clear();
      this.#names.set(name, state = new NameState(name));
    }
    return state;
  }

  #keep(block: HeaderBlock, known: EncodedBlock | undefined, sink: ByteSink, start: number): void {
    const epoch = this.#dynamic ? this.#table.epoch : -1;
    if (known !== undefined) {
      known.bytes = copyOf(sink.buffer, start, sink.length);
      known.epoch = epoch;
    } else if (this.#recent.includes(block)) {
      if (this.#blocks.size >= MAX_CACHED_BLOCKS) this.#blocks.clear();
      this.#blocks.set(block, new EncodedBlock(copyOf(sink.buffer, start, sink.length), epoch));
    } else {
      this.#recent[this.#recentAt] = block;
      this.#recentAt = (this.#recentAt + 1) & (RECENT_BLOCKS - 1);
    }
  }
}

/** Characters looked at beside the length. */
const SAMPLES = 16;

/** A hash of the text's length and at most about 2 × SAMPLES of its characters, going on from `seed`. */
function hashOf(text: string, seed: number): number {
  const length = text.length;
  const step = length <= SAMPLES ? 1 : (length / SAMPLES) | 0;
  let hash = seed ^ length;
  for (let i = 0; i < length; i += step) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash ^ (hash >>> 15);
}
