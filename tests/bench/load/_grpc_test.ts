import { expect, test } from "bun:test";
import { message, MessageCounter } from "./_grpc.ts";

test("MessageCounter counts the same messages however they are cut", () => {
  const bytes = Buffer.concat([message(new Uint8Array(300)), message(new Uint8Array(0)), message(new Uint8Array(7))]);
  for (const size of [1, 2, 5, 6, 300, bytes.length]) {
    const counter = new MessageCounter();
    let count = 0;
    for (let at = 0; at < bytes.length; at += size) count += counter.feed(bytes, at, Math.min(at + size, bytes.length));
    expect([size, count, counter.isWhole]).toEqual([size, 3, true]);
  }
});

test("MessageCounter knows that a message is cut off", () => {
  const counter = new MessageCounter();
  expect(counter.feed(message(new Uint8Array(9)), 0, 13)).toBe(0);
  expect(counter.isWhole).toBe(false);
});

test("MessageCounter refuses what says that it is compressed", () => {
  expect(() => new MessageCounter().feed(Uint8Array.of(1, 0, 0, 0, 0), 0, 5)).toThrow("compressed");
});
