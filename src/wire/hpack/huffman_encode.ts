/** Huffman encoding (RFC 7541 §5.2) of Latin-1 text. */
import { CODE_BITS, CODES } from "./huffman_code.ts";

/** Codes up to this length go the short way: with 15 bits pending they still fit a 32-bit accumulator. */
const SHORT_BITS = 16;
/** code << 5 | bits for each byte whose code is short, else 0. */
const SHORT = CODES.map((code, symbol) => {
  const bits = CODE_BITS[symbol] as number; // as many as codes
  return bits <= SHORT_BITS ? (code << 5) | bits : 0;
});

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
 * Writes `text` Huffman-encoded to buffer[at, …).
 *
 * @param buffer has room for what it takes, which is 4 bytes a character at most
 * @returns the end of what was written
 */
export function encodeHuffman(text: string, buffer: Uint8Array, at: number): number {
  let acc = 0; // the low `bits` bits are pending, fewer than 16
  let bits = 0;
  let to = at;
  for (let i = 0; i < text.length; i++) {
    const byte = byteAt(text, i);
    const entry = SHORT[byte] as number; // byte < 256
    if (entry !== 0) {
      acc = (acc << (entry & 31)) | (entry >>> 5);
      bits += entry & 31;
    } else { // at most 30 bits, in two parts
      const code = CODES[byte] as number; // byte < 256
      const low = (CODE_BITS[byte] as number) - SHORT_BITS;
      acc = (acc << SHORT_BITS) | (code >>> low);
      buffer[to++] = acc >>> (bits + 8);
      buffer[to++] = acc >>> bits;
      acc = (acc << low) | (code & ((1 << low) - 1));
      bits += low;
    }
    if (bits >= 16) {
      bits -= 16;
      buffer[to] = acc >>> (bits + 8);
      buffer[to + 1] = acc >>> bits;
      to += 2;
    }
  }
  if (bits >= 8) {
    bits -= 8;
    buffer[to++] = acc >>> bits;
  }
  if (bits > 0) buffer[to++] = (acc << (8 - bits)) | (0xff >>> bits);
  return to;
}
