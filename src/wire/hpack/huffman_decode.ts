/**
 * Huffman decoding (RFC 7541 §5.2): a table of 12 bits that yields up to two symbols a step for the codes of all common
 * characters, and a walk of the code tree for the rest. 16 KiB of table, where the usual machine of one byte a step would
 * take 256 KiB of every proxy's private memory.
 */
import { CODE_BITS, CODES, EOS, SYMBOLS } from "./huffman_code.ts";

/** Index width of the fast table. Every code of a character that fields commonly hold has at most 12 bits. */
const FAST_BITS = 12;
const FAST_SIZE = 1 << FAST_BITS;
/** Entry: first symbol | second symbol << 8 | bits of both << 16 | bits of the first << 20 | symbols << 24; 0: a longer code. */
const FAST = new Int32Array(FAST_SIZE);
/** Two children a node: the next node, or ~symbol. */
const TREE = new Int16Array(2 * SYMBOLS);

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
      if (entry === 0) break;
      out[length] = entry & 0xff;
      out[length + 1] = (entry >>> 8) & 0xff;
      length += entry >>> 24;
      bits -= (entry >>> 16) & 15;
    } while (bits >= FAST_BITS);
    if (bits < FAST_BITS || (FAST[(acc >>> (bits - FAST_BITS)) & (FAST_SIZE - 1)] as number) !== 0) continue;
    let node = 0;
    do {
      if (bits === 0) {
        if (at === end) return -1;
        acc = buf[at++] as number; // at < end
        bits = 8;
      }
      bits--;
      node = TREE[2 * node + ((acc >>> bits) & 1)] as number; // nodes are below SYMBOLS
    } while (node >= 0);
    const symbol = ~node;
    if (symbol === EOS) return -1;
    if ((symbol < 0x20 && symbol !== 0x09) || symbol === 0x7f) control = 1;
    out[length++] = symbol;
  }
  while (bits > 0) {
    const pad = FAST_BITS - bits;
    const entry = FAST[((acc << pad) | ((1 << pad) - 1)) & (FAST_SIZE - 1)] as number; // masked index
    const used = (entry >>> 20) & 15;
    if (entry === 0 || used > bits) break;
    out[length++] = entry & 0xff;
    bits -= used;
  }
  const ones = (1 << bits) - 1;
  if (bits >= 8 || (acc & ones) !== ones) return -1;
  return 2 * length + control;
}

let nodes = 1;
for (let symbol = 0; symbol < SYMBOLS; symbol++) {
  const code = CODES[symbol] as number; // symbol < SYMBOLS
  let node = 0;
  for (let bit = (CODE_BITS[symbol] as number) - 1; bit > 0; bit--) {
    const child = 2 * node + ((code >>> bit) & 1);
    if (TREE[child] === 0) TREE[child] = nodes++;
    node = TREE[child] as number; // just set
  }
  TREE[2 * node + (code & 1)] = ~symbol;
}

for (let index = 0; index < FAST_SIZE; index++) {
  let used = 0;
  let firstBits = 0;
  let count = 0;
  let symbols = 0;
  while (count < 2) {
    let node = 0;
    let bit = used;
    while (node >= 0 && bit < FAST_BITS) node = TREE[2 * node + ((index >>> (FAST_BITS - 1 - bit++)) & 1)] as number;
    if (node >= 0) break;
    symbols |= ~node << (8 * count++);
    used = bit;
    if (count === 1) firstBits = used;
  }
  FAST[index] = count === 0 ? 0 : symbols | (used << 16) | (firstBits << 20) | (count << 24);
}
