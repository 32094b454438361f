import { expect, test } from "bun:test";
import fc from "fast-check";
import { REQUEST, RESPONSE, TRAILERS } from "./decoder.ts";
import { concat, decode, newDecoder, ok } from "./_testing.ts";

/** A literal that enters the table: name and value. */
function adding(name: string, value: string): Uint8Array {
  const text = (part: string) => concat(Uint8Array.of(part.length), Buffer.from(part));
  return concat(Uint8Array.of(0x40), text(name), text(value));
}

/** Indices of static (up to 61) or dynamic entries. */
const indexed = (...indices: number[]) => Uint8Array.from(indices, (index) => 0x80 | index);

test("decode() finds a block of entries alone again after trailers have shifted their indices", () => {
  const decoder = newDecoder();
  decode(concat(indexed(8), adding("content-type", "application/grpc")), RESPONSE, decoder);
  const first = decode(indexed(8, 62), RESPONSE, decoder);
  decode(adding("x-request-id", "1"), TRAILERS, decoder);
  expect(decode(indexed(8, 63), RESPONSE, decoder)).toBe(first);
  expect(ok(first).fields).toEqual(["content-type", "application/grpc"]);
});

test("decode() tells blocks apart that have the same indices, or another kind", () => {
  const decoder = newDecoder();
  decode(concat(indexed(8), adding("x-a", "1")), RESPONSE, decoder);
  const first = decode(indexed(8, 62), RESPONSE, decoder);
  decode(adding("x-b", "2"), TRAILERS, decoder);
  expect(ok(decode(indexed(8, 62), RESPONSE, decoder)).fields).toEqual(["x-b", "2"]);
  expect(decode(indexed(8, 63), RESPONSE, decoder)).toBe(first);
  expect(decode(indexed(8, 63), TRAILERS, decoder)).not.toBe(first);
});

test("decode() gives the same with and without having seen a block, whatever enters the table in between", () => {
  const step = fc.oneof(
    fc.record({ add: fc.tuple(fc.constantFrom("x-a", "x-b"), fc.string({ maxLength: 3, unit: "grapheme-ascii" })) }),
    fc.record({ indices: fc.array(fc.constantFrom(15, 62, 63, 64), { minLength: 1, maxLength: 4 }) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const warm = newDecoder();
      const blocks: Uint8Array[] = [];
      for (const one of steps) {
        if ("add" in one) blocks.push(adding(one.add[0], one.add[1].replaceAll(/[^\x21-\x7e]/g, "_")));
        else blocks.push(indexed(...one.indices));
      }
      blocks.forEach((block, at) => {
        const cold = newDecoder();
        let expected: unknown = null;
        // The same blocks with a literal in each, so that none is one of entries alone.
        for (const before of blocks.slice(0, at + 1)) expected = decode(concat(before, PLAIN), TRAILERS, cold);
        const found = decode(block, TRAILERS, warm);
        if (typeof expected === "number" || typeof found === "number") expect<unknown>(found).toBe(expected);
        else expect([...found.fields, "x-plain", ""]).toEqual([...ok(expected as typeof found).fields]);
      });
    }),
    { numRuns: 60 },
  );
});

/** A literal that stays out of the table: x-plain without a value. */
const PLAIN = concat(Uint8Array.of(0, 7), Buffer.from("x-plain"), Uint8Array.of(0));

test("decode() refuses an index that was evicted, although its block is known", () => {
  const decoder = newDecoder();
  decode(concat(indexed(8), adding("x-a", "1")), RESPONSE, decoder);
  decode(indexed(8, 62), RESPONSE, decoder);
  decode(Uint8Array.of(0x20), TRAILERS, decoder); // table size 0
  expect(decode(indexed(8, 62), RESPONSE, decoder)).toBe(-1);
  expect(ok(decode(indexed(2, 6, 4), REQUEST, decoder)).method).toBe("GET");
});
