import { decodeHuffman, maxDecodedBytes } from "../../../src/wire/hpack/huffman_decode.ts";
import { encodeHuffman, huffmanBytes } from "../../../src/wire/hpack/huffman_encode.ts";
import { decodeHuffman as plainHuffman } from "../oracles/hpack.ts";
import { agree, holds, type Target, textOf } from "../target.ts";

export const target: Target = {
  about: "Huffman code: the same text as bit by bit, refused alike; what is encoded is read back",
  seeds: ["\xf1\xe3\xc2\xe5\xf2:k\xa0\xab\x90\xf4\xff", "\xff\xff\xff\xff", "\x1f", "www.example.com", "\x00\xff\x7f"],
  maxBytes: 200,
  run(input) {
    const out = new Uint8Array(maxDecodedBytes(input.length));
    const decoded = decodeHuffman(input, 0, input.length, out);
    const text = decoded < 0 ? null : textOf(out.subarray(0, decoded >> 1));
    agree("decoded, ours and bit by bit", text, plain(input));
    // deno-lint-ignore no-control-regex
    if (text !== null) {
      holds((decoded & 1) === (/[\x00-\x08\x0a-\x1f\x7f]/.test(text) ? 1 : 0), "what it says about control characters");
    }
    const value = textOf(input);
    const length = huffmanBytes(value);
    const buffer = new Uint8Array(length + 8);
    const end = encodeHuffman(value, buffer, 0);
    holds(end === length, `${end} bytes where ${length} were announced`);
    agree("encoded and read back", plain(buffer.subarray(0, length)), value);
  },
};

function plain(bytes: Uint8Array): string | null {
  try {
    return plainHuffman(bytes);
  } catch {
    return null; // it throws where the code is wrong
  }
}
