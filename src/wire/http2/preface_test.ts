import { expect, test } from "bun:test";
import { matchPreface, MAYBE, NO, PREFACE, YES } from "./preface.ts";

test("matchPreface() says MAYBE for each proper prefix and YES from the whole on", () => {
  const padded = new Uint8Array([7, ...PREFACE, 0, 0, 0]);
  for (let n = 0; n < PREFACE.length; n++) expect(matchPreface(padded, 1, 1 + n)).toBe(MAYBE);
  expect(matchPreface(padded, 1, 1 + PREFACE.length)).toBe(YES);
  expect(matchPreface(padded, 1, padded.length)).toBe(YES);
});

test("matchPreface() says NO as soon as a byte differs", () => {
  for (let n = 0; n < PREFACE.length; n++) {
    const bytes = PREFACE.slice();
    bytes[n] = 0xff;
    expect(matchPreface(bytes, 0, n + 1)).toBe(NO);
  }
  const http1 = new TextEncoder().encode("PRICE / HTTP/1.1\r\n");
  expect(matchPreface(http1, 0, http1.length)).toBe(NO);
});
