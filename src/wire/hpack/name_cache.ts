/**
 * Field names by their encoded bytes, shared by all decoders: a literal name that was seen before costs neither Huffman
 * decoding, nor a check, nor a new string, and is the same string everywhere (so that comparing it is comparing pointers).
 */
import { copyOf, equalBytes, fingerprint } from "./fingerprint.ts";

/** Names kept. A mesh sees some dozens; a flood of made-up names only makes the cache useless for as long as it lasts. */
const SLOTS = 512;
/** Longer names (encoded) are not kept: 512 × about 150 bytes bound the memory to 75 KiB. */
const MAX_NAME_BYTES = 48;

class CachedName {
  readonly bytes: Uint8Array;
  readonly huffman: boolean;
  readonly name: string;
  readonly nameClass: number;

  constructor(bytes: Uint8Array, huffman: boolean, name: string, nameClass: number) {
    this.bytes = bytes;
    this.huffman = huffman;
    this.name = name;
    this.nameClass = nameClass;
  }
}

const slots: (CachedName | null)[] = new Array(SLOTS).fill(null);
/** One string per text, for as long as its slot lives. */
const interned = new Map<string, string>();

/** The name whose encoded bytes are buf[start, end), or null when it is not known. */
export function cachedName(buf: Uint8Array, start: number, end: number, huffman: boolean): CachedName | null {
  if (end - start > MAX_NAME_BYTES) return null;
  const entry = slots[fingerprint(buf, start, end) & (SLOTS - 1)] as CachedName | null; // masked index
  if (entry === null || entry.huffman !== huffman || entry.bytes.length !== end - start) return null;
  return equalBytes(entry.bytes, buf, start) ? entry : null;
}

/** Keeps a valid name; returns the string to use for it. */
export function keepName(
  buf: Uint8Array,
  start: number,
  end: number,
  huffman: boolean,
  name: string,
  nameClass: number,
): string {
  if (end - start > MAX_NAME_BYTES) return name;
  if (interned.size >= SLOTS) interned.clear();
  let kept = interned.get(name);
  if (kept === undefined) interned.set(name, kept = name);
  slots[fingerprint(buf, start, end) & (SLOTS - 1)] = new CachedName(copyOf(buf, start, end), huffman, kept, nameClass);
  return kept;
}
