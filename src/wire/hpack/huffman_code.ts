/**
 * The static Huffman code of RFC 7541 appendix B, kept as code lengths: the code is canonical (shorter codes first, equal
 * lengths in the order of their symbols), so that the lengths say everything.
 */

/** Symbols: 256 bytes and EOS. */
export const SYMBOLS = 257;
/** The end-of-string symbol; in a string it is an error (RFC 7541 §5.2). */
export const EOS = 256;

/** [symbols in a row, their length in bits, …], from symbol 0 to EOS. */
// deno-fmt-ignore
const RUNS: readonly number[] = [
  1,13, 1,23, 7,28, 1,24, 1,30, 2,28, 1,30, 8,28, 1,30, 9,28, // 0x00–0x1f
  1,6, 2,10, 1,12, 1,13, 1,6, 1,8, 1,11, 2,10, 1,8, 1,11, 1,8, 3,6, // space … /
  3,5, 7,6, 1,7, 1,8, 1,15, 1,6, 1,12, 1,10, // 0 … ?
  1,13, 1,6, 22,7, 1,8, 1,7, 1,8, 1,13, 1,19, 1,13, 1,14, 1,6, // @ … _
  1,15, 1,5, 1,6, 1,5, 1,6, 1,5, 3,6, 1,5, 2,7, 3,6, 1,5, 1,6, 1,7, 1,6, 2,5, 1,6, 5,7, // ` … z
  1,15, 1,11, 1,14, 1,13, 1,28, // { … DEL
  1,20, 1,22, 2,20, 3,22, 1,23, 1,22, 5,23, 1,24, 1,23, 2,24, // 0x80–0x91
  1,22, 1,23, 1,24, 4,23, 1,21, 1,22, 1,23, 1,22, 2,23, 1,24, // 0x92–0x9f
  1,22, 1,21, 1,20, 2,22, 2,23, 1,21, 1,23, 2,22, 1,24, 1,21, 1,22, 2,23, // 0xa0–0xaf
  2,21, 1,22, 1,21, 1,23, 1,22, 2,23, 1,20, 3,22, 1,23, 2,22, 1,23, // 0xb0–0xbf
  2,26, 1,20, 1,19, 1,22, 1,23, 1,22, 1,25, 3,26, 2,27, 1,26, 1,24, 1,25, // 0xc0–0xcf
  1,19, 1,21, 1,26, 2,27, 1,26, 1,27, 1,24, 2,21, 2,26, 1,28, 3,27, // 0xd0–0xdf
  1,20, 1,24, 1,20, 1,21, 1,22, 2,21, 1,23, 2,22, 2,25, 2,24, 1,26, 1,23, // 0xe0–0xef
  1,26, 1,27, 2,26, 5,27, 1,28, 5,27, 1,26, // 0xf0–0xff
  1,30, // EOS
];

/** Length of each symbol's code in bits, 5–30. */
export const CODE_BITS: Uint8Array = new Uint8Array(SYMBOLS);
/** Each symbol's code, right-aligned. */
export const CODES: Uint32Array = new Uint32Array(SYMBOLS);

/** Longest code, bits. */
export const MAX_CODE_BITS = 30;
/** By length in bits: the first code of that length, right-aligned. */
export const FIRST_CODE: Uint32Array = new Uint32Array(MAX_CODE_BITS + 1);
/** By length in bits: codes that are shorter, and so the rank of the first one of that length. */
export const RANK: Uint16Array = new Uint16Array(MAX_CODE_BITS + 2);
/** Symbols by rank: in the order of their codes. */
export const BY_RANK: Uint16Array = new Uint16Array(SYMBOLS);

fillLengths();
fillCodes();

function fillLengths(): void {
  let symbol = 0;
  for (let i = 0; i < RUNS.length; i += 2) {
    const end = symbol + (RUNS[i] as number); // in range: the loop's bound
    const bits = RUNS[i + 1] as number; // likewise
    CODE_BITS.fill(bits, symbol, end);
    RANK[bits + 1] = (RANK[bits + 1] as number) + end - symbol; // for now: how many there are of `bits` bits
    symbol = end;
  }
}

function fillCodes(): void {
  let code = 0;
  for (let bits = 5; bits <= MAX_CODE_BITS; bits++) {
    FIRST_CODE[bits] = code;
    code = 2 * (code + (RANK[bits + 1] as number));
    RANK[bits + 1] = (RANK[bits + 1] as number) + (RANK[bits] as number);
  }
  const next = RANK.slice();
  for (let symbol = 0; symbol < SYMBOLS; symbol++) {
    const bits = CODE_BITS[symbol] as number; // symbol < SYMBOLS
    const rank = next[bits] as number; // bits <= MAX_CODE_BITS
    next[bits] = rank + 1;
    CODES[symbol] = (FIRST_CODE[bits] as number) + rank - (RANK[bits] as number);
    BY_RANK[rank] = symbol;
  }
}
