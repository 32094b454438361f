/**
 * Huffman decoding (RFC 7541 §5.2): a table of 12 bits that yields up to two symbols a step for the codes of all common
 * characters, and a search by length for the rest. 16 KiB of table, where the usual machine of one byte a step would
 * take 256 KiB of every proxy's private memory. Entries are made when they are first met.
 */
import { BY_RANK, EOS, FIRST_CODE, MAX_CODE_BITS, RANK } from "./huffman_code.ts";

/** Index width of the fast table. Every code of a character that fields commonly hold has at most 12 bits. */
const FAST_BITS = 12;
const FAST_SIZE = 1 << FAST_BITS;
/** Entry: first symbol | second symbol << 8 | bits of both << 16 | bits of the first << 20 | symbols << 24; or one of: */
const FAST = new Int32Array(FAST_SIZE);
const UNMADE = 0;
const LONGER_CODE = -1;

/** Most bytes that `bytes` Huffman bytes decode to (5 bits at least each), with one to spare for the paired store. */
export function maxDecodedBytes(bytes: number): number {
  return Math.ceil((bytes * 8) / 5) + 2;
}

/**
 * Decodes buf[start, end) into out[0, …).
 *
 * @param out holds at least `maxDecodedBytes(end - start)`
 * @returns 2 × decoded bytes, plus 1 when a control character other than HTAB is among them; -1 when the string is
 *   wrong: EOS in it, padding of 8 bits or more, or padding that is not ones
 */
export function decodeHuffman(buf: Uint8Array, start: number, end: number, out: Uint8Array): number {
  let acc = 0; // the low `bits` bits are pending, older ones above are ignored
  let bits = 0;
  let length = 0;
  let control = 0;
  let at = start;
  for (;;) {
    while (bits <= 24 && at < end) {
      acc = (acc << 8) | (buf[at++] as number); // at < end
      bits += 8;
    }
    if (bits < FAST_BITS) break;
    do {
      const entry = FAST[(acc >>> (bits - FAST_BITS)) & (FAST_SIZE - 1)] as number; // masked index
      if (entry <= 0) break; // UNMADE or LONGER_CODE
      out[length] = entry & 0xff;
      out[length + 1] = (entry >>> 8) & 0xff;
      length += entry >>> 24;
      bits -= (entry >>> 16) & 15;
    } while (bits >= FAST_BITS);
    if (bits < FAST_BITS) continue;
    const index = (acc >>> (bits - FAST_BITS)) & (FAST_SIZE - 1);
    if (FAST[index] === UNMADE) FAST[index] = entryOf(index);
    if (FAST[index] !== LONGER_CODE) continue;
    let code = index;
    let width = FAST_BITS;
    bits -= FAST_BITS;
    let rank: number;
    do {
      if (bits === 0) {
        if (at === end) return -1;
        acc = buf[at++] as number; // at < end
        bits = 8;
      }
      bits--;
      width++;
      code = (code << 1) | ((acc >>> bits) & 1);
      rank = rankOf(code, width);
    } while (rank < 0);
    const symbol = BY_RANK[rank] as number; // what rankOf() says is in range
    if (symbol === EOS) return -1;
    if ((symbol < 0x20 && symbol !== 0x09) || symbol === 0x7f) control = 1;
    out[length++] = symbol;
  }
  while (bits > 0) {
    const pad = FAST_BITS - bits;
    const index = ((acc << pad) | ((1 << pad) - 1)) & (FAST_SIZE - 1);
    if (FAST[index] === UNMADE) FAST[index] = entryOf(index);
    const entry = FAST[index] as number; // masked index
    const used = (entry >>> 20) & 15;
    if (entry === LONGER_CODE || used > bits) break;
    out[length++] = entry & 0xff;
    bits -= used;
  }
  const ones = (1 << bits) - 1;
  if (bits >= 8 || (acc & ones) !== ones) return -1;
  return 2 * length + control;
}

/** The entry of FAST for these 12 bits. */
function entryOf(index: number): number {
  let used = 0;
  let firstBits = 0;
  let count = 0;
  let symbols = 0;
  for (let width = 5; count < 2 && used + width <= FAST_BITS; width++) {
    const rank = rankOf((index >>> (FAST_BITS - used - width)) & ((1 << width) - 1), width);
    if (rank < 0) continue;
    symbols |= (BY_RANK[rank] as number) << (8 * count++); // what rankOf() says is in range
    used += width;
    if (count === 1) firstBits = used;
    width = 4; // the next symbol: from 5 on
  }
  return count === 0 ? LONGER_CODE : symbols | (used << 16) | (firstBits << 20) | (count << 24);
}

/**
 * The rank of a code that is not the beginning of a longer one.
 *
 * @param code its bits, right-aligned; nothing shorter than `width` may be a code
 * @returns -1 when it is the beginning of a longer one
 */
function rankOf(code: number, width: number): number {
  if (width > MAX_CODE_BITS) return -1;
  const rank = (RANK[width] as number) + code - (FIRST_CODE[width] as number); // width <= MAX_CODE_BITS
  return rank < (RANK[width + 1] as number) ? rank : -1; // RANK has one more
}
