/** Huffman encoding (RFC 7541 §5.2) of Latin-1 text. */
import { CODE_BITS, CODES } from "./huffman_code.ts";

/** code << 5 | bits for each byte whose code has at most 24 bits, else 0. */
const SHORT = new Uint32Array(256);
for (let byte = 0; byte < 256; byte++) {
  const bits = CODE_BITS[byte] as number; // byte < 256
  if (bits <= 24) SHORT[byte] = ((CODES[byte] as number) << 5) | bits;
}

/** What stands for a character above U+00FF, which the caller should never pass: no such one may turn into a control byte. */
const REPLACEMENT = 0x3f;

/** The byte for character `i`. */
export function byteAt(text: string, i: number): number {
  const c = text.charCodeAt(i);
  return c < 256 ? c : REPLACEMENT;
}

/** Bytes that `text` takes when Huffman-encoded. */
export function huffmanBytes(text: string): number {
  let bits = 0;
  for (let i = 0; i < text.length; i++) bits += CODE_BITS[byteAt(text, i)] as number; // byteAt < 256
  return (bits + 7) >>> 3;
}

/**
 * Writes `text` Huffman-encoded to buffer[at, …), and gives up when that takes more than `limit` bytes.
 *
 * @param buffer has room for `limit` + 4 bytes from `at`
 * @returns the end of what was written, or -1 when the limit was passed (the bytes written are then garbage)
 */
export function encodeHuffman(text: string, buffer: Uint8Array, at: number, limit: number): number {
  const last = at + limit;
  let acc = 0; // the low `bits` bits are pending
  let bits = 0;
  let to = at;
  for (let i = 0; i < text.length; i++) {
    const byte = byteAt(text, i);
    const entry = SHORT[byte] as number; // byte < 256
    if (entry !== 0) {
      acc = (acc << (entry & 31)) | (entry >>> 5);
      bits += entry & 31;
    } else {
      const code = CODES[byte] as number; // byte < 256
      acc = (acc << 8) | (code >>> ((CODE_BITS[byte] as number) - 8));
      buffer[to++] = acc >>> bits;
      acc = (acc << ((CODE_BITS[byte] as number) - 8)) | (code & ((1 << ((CODE_BITS[byte] as number) - 8)) - 1));
      bits += (CODE_BITS[byte] as number) - 8;
    }
    while (bits >= 8) {
      bits -= 8;
      buffer[to++] = acc >>> bits;
    }
    if (to > last) return -1;
  }
  if (bits > 0) buffer[to++] = (acc << (8 - bits)) | (0xff >>> bits);
  return to > last ? -1 : to;
}
