import { edenGC, fullGC, heapSize } from "bun:jsc";
import { expect, test } from "bun:test";
import fc from "fast-check";
import { lendBuffer } from "../net/lent_buffer.ts";
import { dropPieces, PIECE_BYTES, WaitingBytes } from "./waiting_bytes.ts";

/** Takes up to `most` bytes from the front, as a stream that sends does. */
function takeFrom(waiting: WaitingBytes, most: number): Buffer {
  const out: Buffer[] = [];
  let left = most;
  for (let piece = waiting.first; piece !== null && left > 0; piece = waiting.first) {
    const n = Math.min(left, piece.end - piece.start);
    out.push(Buffer.from(piece.buffer.subarray(piece.start, piece.start + n)));
    waiting.take(n);
    left -= n;
  }
  return Buffer.concat(out);
}

/** Bytes that differ from their neighbours. */
function pattern(bytes: number, seed: number): Buffer {
  const buffer = Buffer.from(new ArrayBuffer(bytes));
  for (let i = 0; i < bytes; i++) buffer[i] = (i * 31 + seed * 17) & 0xff;
  return buffer;
}

test("WaitingBytes gives back what it was given, in order, however it comes and goes", () => {
  const size = fc.oneof(fc.nat(300), fc.integer({ min: PIECE_BYTES - 2, max: 3 * PIECE_BYTES }));
  const step = fc.record({ add: size, lent: fc.boolean(), take: size });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
      const waiting = new WaitingBytes();
      const given: Buffer[] = [];
      const taken: Buffer[] = [];
      steps.forEach(({ add, lent, take }, i) => {
        const bytes = pattern(add, i);
        given.push(Buffer.from(bytes));
        if (lent) lendBuffer({ onData: (buffer) => waiting.append(buffer, 0, buffer.length) }, bytes);
        else waiting.append(bytes, 0, bytes.length);
        if (!lent) bytes.fill(0); // they are the caller's again
        taken.push(takeFrom(waiting, take));
        expect(waiting.length).toBe(total(given) - total(taken));
      });
      taken.push(takeFrom(waiting, Infinity));
      expect(Buffer.concat(taken).equals(Buffer.concat(given))).toBe(true);
      expect([waiting.length, waiting.first]).toEqual([0, null]);
    }),
  );
});

test("WaitingBytes.append() keeps a large read, and frees it when its bytes have gone", () => {
  const waiting = new WaitingBytes();
  const buffer = pattern(2 * PIECE_BYTES, 1);
  lendBuffer({ onData: (given) => waiting.append(given, 100, given.length) }, buffer);
  expect(waiting.first?.buffer).toBe(buffer);
  takeFrom(waiting, PIECE_BYTES);
  expect(buffer.length).toBe(2 * PIECE_BYTES);
  takeFrom(waiting, PIECE_BYTES);
  expect(buffer.length).toBe(0);
});

test("WaitingBytes.append() copies what is a small part of a read", () => {
  const waiting = new WaitingBytes();
  const buffer = pattern(4 * PIECE_BYTES, 1);
  const part = Buffer.from(buffer.subarray(0, 2 * PIECE_BYTES));
  lendBuffer({ onData: (given) => waiting.append(given, 0, 2 * PIECE_BYTES) }, buffer);
  expect(buffer.length).toBe(0);
  expect(takeFrom(waiting, Infinity).equals(part)).toBe(true);
});

test("WaitingBytes.clear() frees kept reads", () => {
  const waiting = new WaitingBytes();
  const buffer = pattern(2 * PIECE_BYTES, 1);
  lendBuffer({ onData: (given) => waiting.append(given, 0, given.length) }, buffer);
  waiting.clear();
  expect([buffer.length, waiting.length, waiting.first]).toEqual([0, 0, null]);
});

test("WaitingBytes holds little for streams of which little waits", () => {
  const waiting = new WaitingBytes();
  waiting.append(pattern(100, 1), 0, 100);
  expect(waiting.first?.buffer.length).toBeLessThan(1024);
});

test("dropPieces() frees the pieces that are kept for later", () => {
  const waiting = new WaitingBytes();
  waiting.append(pattern(PIECE_BYTES, 1), 0, PIECE_BYTES);
  const buffer = waiting.first?.buffer;
  takeFrom(waiting, Infinity);
  expect(buffer?.length).toBe(PIECE_BYTES);
  dropPieces();
  expect(buffer?.length).toBe(0);
});

function total(buffers: readonly Buffer[]): number {
  return buffers.reduce((sum, { length }) => sum + length, 0);
}

/** Pieces that hold on to the one behind them leave 1.4 MB. */
const MOST_LEFT_BYTES = 300_000;

test("pieces that were taken are gone after a collection of young objects, also while there are always some", () => {
  const waiting = new WaitingBytes();
  const bytes = new Uint8Array(PIECE_BYTES);
  const pass = (count: number) => {
    for (let i = 0; i < count; i++) {
      waiting.append(bytes, 0, bytes.length);
      if (waiting.length > 4 * PIECE_BYTES) waiting.take(PIECE_BYTES);
    }
  };
  pass(1_000);
  fullGC();
  const before = heapSize();
  for (let round = 0; round < 10; round++) {
    pass(2_000);
    edenGC();
  }
  expect(heapSize() - before).toBeLessThan(MOST_LEFT_BYTES);
});
