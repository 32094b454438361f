import { expect, test } from "bun:test";
import fc from "fast-check";
import { TcpHalf } from "./tcp_half.ts";

function collected(first: number): { half: TcpHalf; text: () => string } {
  let text = "";
  return { half: new TcpHalf(first, (bytes) => (text += Buffer.from(bytes).toString("latin1"))), text: () => text };
}

const bytes = (text: string) => new Uint8Array(Buffer.from(text, "latin1"));

test("TcpHalf orders segments, drops what it has seen and crosses the end of the numbers", () => {
  const { half, text } = collected(0xfffffffe);
  half.push(1, bytes("de"));
  half.push(0xfffffffe, bytes("ab"));
  half.push(0xffffffff, bytes("bc"));
  half.push(0xfffffffe, bytes("abc"));
  expect(text()).toBe("abcde");
});

test("TcpHalf gives the stream back however segments are shuffled, repeated and overlapping", () => {
  const stream = Buffer.from("the quick brown fox jumps over the lazy dog", "latin1");
  const segment = fc.tuple(fc.nat(stream.length), fc.integer({ min: 1, max: 12 }));
  fc.assert(
    fc.property(fc.array(segment, { maxLength: 30 }), (segments) => {
      const { half, text } = collected(100);
      for (const [at, length] of segments) half.push(100 + at, new Uint8Array(stream.subarray(at, at + length)));
      for (let at = 0; at < stream.length; at += 5) half.push(100 + at, new Uint8Array(stream.subarray(at, at + 5)));
      expect(text()).toBe(stream.toString("latin1"));
    }),
    { numRuns: 200 },
  );
});

test("TcpHalf gives up when too much came too early", () => {
  const { half, text } = collected(0);
  for (let i = 1; i <= 300; i++) half.push(i * 10, bytes("x"));
  half.push(0, bytes("y"));
  expect([half.broken, text()]).toEqual([true, ""]);
});
