/** Changes of inputs: small ones mostly, several at a time sometimes. */
import type { Random } from "./random.ts";
import { bytesOf } from "./target.ts";

/** Bytes at which parsers decide. */
const BYTES = [
  0,
  1,
  9,
  10,
  13,
  32,
  34,
  37,
  44,
  45,
  47,
  48,
  49,
  57,
  58,
  59,
  61,
  65,
  97,
  127,
  128,
  129,
  192,
  224,
  254,
  255,
];
const NUMBERS = [
  0,
  1,
  2,
  127,
  128,
  255,
  256,
  1023,
  1024,
  4095,
  16383,
  16384,
  32767,
  65535,
  65536,
  0x7fffffff,
  0x80000000,
  0xffffffff,
];

export interface Mutations {
  readonly dictionary: readonly string[];
  readonly maxBytes: number;
  /** Another input, to take parts from. */
  readonly other: () => Uint8Array;
}

export function mutated(input: Uint8Array, random: Random, options: Mutations): Uint8Array {
  let bytes = input;
  for (let left = 1 + (random.oneIn(2) ? 0 : random.below(5)); left > 0; left--) bytes = once(bytes, random, options);
  return bytes.length > options.maxBytes ? bytes.slice(0, options.maxBytes) : bytes;
}

function once(input: Uint8Array, random: Random, { dictionary, other }: Mutations): Uint8Array {
  const at = random.below(input.length + 1);
  const inside = random.below(input.length);
  switch (random.below(12)) {
    case 0:
      return replaced(input, inside, 1, [(input[inside] ?? 0) ^ (1 << random.below(8))]);
    case 1:
      return replaced(input, inside, 1, [random.pick(BYTES)]);
    case 2:
      return replaced(input, inside, 1, [((input[inside] ?? 0) + random.pick([-1, 1, 16, -16])) & 255]);
    case 3:
      return replaced(input, at, 0, [random.oneIn(2) ? random.pick(BYTES) : random.below(256)]);
    case 4:
      return replaced(input, inside, length(random, input.length - inside), []);
    case 5: { // a part once more, here or elsewhere
      const end = inside + length(random, input.length - inside);
      return replaced(input, at, 0, input.subarray(inside, end));
    }
    case 6: { // a number in the network's order
      const width = random.between(1, 4);
      const number = random.pick(NUMBERS);
      return replaced(
        input,
        inside,
        width,
        Array.from({ length: width }, (_, i) => (number / 256 ** (width - 1 - i)) & 255),
      );
    }
    case 7: // a number in digits
      return replaced(
        input,
        at,
        random.below(3),
        bytesOf(String(random.oneIn(2) ? random.pick(NUMBERS) : random.below(300))),
      );
    case 8: {
      const from = other();
      const start = random.below(from.length);
      const part = from.subarray(start, start + length(random, from.length - start));
      return replaced(input, at, random.oneIn(2) ? part.length : 0, part);
    }
    case 9: {
      const from = other();
      return replaced(input, at, input.length - at, from.subarray(random.below(from.length)));
    }
    default: {
      if (dictionary.length === 0) return replaced(input, at, 0, random.bytes(random.between(1, 4)));
      const token = bytesOf(random.pick(dictionary));
      return replaced(input, at, random.oneIn(3) ? token.length : 0, token);
    }
  }
}

/** Mostly short. */
function length(random: Random, limit: number): number {
  return Math.min(limit, random.oneIn(4) ? random.below(limit + 1) : 1 + random.below(8));
}

function replaced(input: Uint8Array, at: number, count: number, by: ArrayLike<number>): Uint8Array {
  const end = Math.min(input.length, at + count);
  const out = new Uint8Array(input.length - (end - at) + by.length);
  out.set(input.subarray(0, at));
  out.set(by, at);
  out.set(input.subarray(end), at + by.length);
  return out;
}
