import { expect, test } from "bun:test";
import fc from "fast-check";
import { CODE_BITS, CODES, EOS, SYMBOLS } from "./huffman_code.ts";
import { decodeHuffman, maxDecodedBytes } from "./huffman_decode.ts";
import { encodeHuffman, huffmanBytes } from "./huffman_encode.ts";
import { bytes } from "./_testing.ts";

function decode(coded: Uint8Array): string | number {
  const out = new Uint8Array(maxDecodedBytes(coded.length));
  const result = decodeHuffman(coded, 0, coded.length, out);
  return result < 0 ? result : String.fromCharCode(...out.subarray(0, result >> 1));
}

function encode(text: string): Uint8Array {
  const size = huffmanBytes(text);
  const out = new Uint8Array(size + 8);
  expect(encodeHuffman(text, out, 2)).toBe(2 + size);
  return out.slice(2, 2 + size);
}

/** One bit at a time, straight from the code: the plain meaning of the decoder. */
function decodePlainly(coded: Uint8Array): string | number {
  const bits = [...coded].map((b) => b.toString(2).padStart(8, "0")).join("");
  const byCode = new Map<string, number>();
  for (let s = 0; s < SYMBOLS; s++) byCode.set(CODES[s]!.toString(2).padStart(CODE_BITS[s]!, "0"), s); // s < SYMBOLS
  let text = "";
  let pending = "";
  for (const bit of bits) {
    pending += bit;
    const symbol = byCode.get(pending);
    if (symbol === undefined) continue;
    if (symbol === EOS) return -1;
    text += String.fromCharCode(symbol);
    pending = "";
  }
  return pending.length < 8 && !pending.includes("0") ? text : -1;
}

test("the code is complete and has the ends of RFC 7541 appendix B", () => {
  expect([...CODE_BITS].reduce((sum, bits) => sum + 2 ** -bits, 0)).toBe(1);
  const ends = [[48, 0x0, 5], [97, 0x3, 5], [32, 0x14, 6], [0, 0x1ff8, 13], [92, 0x7fff0, 19], [255, 0x3ffffee, 26]];
  for (const [symbol, code, bits] of ends) expect([CODES[symbol!], CODE_BITS[symbol!]]).toEqual([code, bits]); // rows of 3
  expect(CODES[EOS]).toBe(0x3fffffff);
});

test.each([
  ["f1e3c2e5f23a6ba0ab90f4ff", "www.example.com"],
  ["a8eb10649cbf", "no-cache"],
  ["6402", "302"],
  ["d07abe941054d444a8200595040b8166e082a62d1bff", "Mon, 21 Oct 2013 20:13:21 GMT"],
  [
    "94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
    "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
  ],
])("decodeHuffman() and encodeHuffman() agree with RFC 7541 appendix C on %s", (hex, text) => {
  expect(decode(bytes(hex))).toBe(text);
  expect(encode(text)).toEqual(bytes(hex));
});

test("encode and decode are inverse for every byte at every alignment", () => {
  for (let byte = 0; byte < 256; byte++) {
    for (let before = 0; before < 8; before++) {
      const text = "0".repeat(before) + String.fromCharCode(byte) + "a";
      expect(decode(encode(text))).toBe(text);
    }
  }
});

test("decodeHuffman() does what the plain decoder does on any bytes", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 24 }), (coded) => expect(decode(coded)).toBe(decodePlainly(coded))),
    {
      numRuns: 3000,
    },
  );
  fc.assert(
    fc.property(fc.array(fc.constantFrom(0xff, 0xfe, 0xf8, 0x7f, 0x1f, 0x00), { maxLength: 8 }), (coded) => {
      const array = Uint8Array.from(coded);
      expect(decode(array)).toBe(decodePlainly(array));
    }),
    { numRuns: 2000 },
  );
});

test.each([
  ["padding of 8 ones", "1fff"],
  ["padding with a zero", "18"],
  ["EOS", "ffffffff"],
  ["EOS after a character", "1ffffffffc"],
  ["a long code cut off", "fffe"],
])("decodeHuffman() refuses %s (RFC 7541 §5.2)", (_what, hex) => expect(decode(bytes(hex))).toBe(-1));

test("decodeHuffman() reports control characters other than HTAB", () => {
  for (let byte = 0; byte < 256; byte++) {
    const coded = encode("a" + String.fromCharCode(byte));
    const result = decodeHuffman(coded, 0, coded.length, new Uint8Array(16));
    expect(result & 1).toBe((byte < 32 && byte !== 9) || byte === 127 ? 1 : 0);
  }
});

test("encodeHuffman() turns no character above U+00FF into a control byte", () => {
  expect(decode(encode("\u010d\u010a\u0100"))).toBe("???");
});
