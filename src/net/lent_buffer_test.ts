import { expect, test } from "bun:test";
import { freeBuffer, keepBuffer, lendBuffer, MIN_LENT_BYTES } from "./lent_buffer.ts";

function received(bytes: number = MIN_LENT_BYTES): Buffer {
  return Buffer.from(new ArrayBuffer(bytes)).fill("x");
}

test("lendBuffer() frees a buffer when its event is over", () => {
  const buffer = received();
  let seen = "";
  lendBuffer({ onData: (given) => void (seen = `${given.length} ${keepBuffer(received())}`) }, buffer);
  expect([seen, buffer.length]).toEqual([`${MIN_LENT_BYTES} false`, 0]);
});

test("lendBuffer() leaves a small buffer alone, which cannot be kept", () => {
  const buffer = received(MIN_LENT_BYTES - 1);
  let kept = true;
  lendBuffer({ onData: (given) => void (kept = keepBuffer(given)) }, buffer);
  expect([kept, buffer.length]).toEqual([false, MIN_LENT_BYTES - 1]);
});

test("keepBuffer() keeps a buffer until it is freed, and for one only", () => {
  const buffer = received();
  const kept: boolean[] = [];
  lendBuffer({ onData: (given) => void kept.push(keepBuffer(given), keepBuffer(given)) }, buffer);
  expect([kept, buffer.length]).toEqual([[true, false], MIN_LENT_BYTES]);
  freeBuffer(buffer);
  expect(buffer.length).toBe(0);
});

test("freeBuffer() waits for the end of the event the buffer came with, whose rest is still to be read", () => {
  const buffer = received();
  let during = 0;
  lendBuffer({
    onData(given) {
      keepBuffer(given);
      freeBuffer(given);
      during = given.length;
    },
  }, buffer);
  expect([during, buffer.length]).toEqual([MIN_LENT_BYTES, 0]);
});

test("freeBuffer() leaves what is a part of something larger alone", () => {
  const whole = new Uint8Array(2 * MIN_LENT_BYTES);
  freeBuffer(whole.subarray(0, MIN_LENT_BYTES));
  expect(whole.length).toBe(2 * MIN_LENT_BYTES);
});

test("lendBuffer() serves the next event as well after a receiver that throws", () => {
  expect(() =>
    lendBuffer({
      onData() {
        throw new Error("bug");
      },
    }, received())
  ).toThrow("bug");
  const buffer = received();
  lendBuffer({ onData: () => {} }, buffer);
  expect(buffer.length).toBe(0);
});
