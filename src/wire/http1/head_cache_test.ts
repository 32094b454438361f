import { expect, test } from "bun:test";
import fc from "fast-check";
import { HeadCache, MAX_CACHED_HEAD_BYTES } from "./head_cache.ts";

test("get() gives the identical object for identical bytes elsewhere, once they came twice", () => {
  const cache = new HeadCache<object>();
  const head = Buffer.from("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  const value = {};
  cache.put(head, 0, head.length, value);
  expect(cache.get(head, 0, head.length)).toBeNull();
  cache.put(head, 0, head.length, value);
  const shifted = Buffer.concat([Buffer.from("xxx"), head, Buffer.from("body")]);
  expect(cache.get(shifted, 3, 3 + head.length)).toBe(value);
});

test("get() does not see later changes of the buffer that was put", () => {
  const cache = new HeadCache<number>();
  const head = Buffer.from("GET /a");
  cache.put(head, 0, 6, 1);
  cache.put(head, 0, 6, 1);
  head[5] = 0x62;
  expect(cache.get(head, 0, 6)).toBeNull();
  expect(cache.get(Buffer.from("GET /a"), 0, 6)).toBe(1);
});

test("get() compares long heads to their last byte", () => {
  const cache = new HeadCache<number>(1);
  const head = Buffer.from(`GET /${"a".repeat(500)}`);
  cache.put(head, 0, head.length, 1);
  cache.put(head, 0, head.length, 1);
  expect(cache.get(Buffer.concat([Buffer.from("x"), head]), 1, head.length + 1)).toBe(1);
  for (let i = 0; i < head.length; i++) {
    const other = Buffer.from(head);
    other[i] = 0x62;
    expect(cache.get(other, 0, other.length)).toBeNull();
  }
});

test("put() ignores heads above the limit", () => {
  const cache = new HeadCache<number>();
  const head = Buffer.alloc(MAX_CACHED_HEAD_BYTES + 1, 0x61);
  cache.put(head, 0, head.length, 1);
  cache.put(head, 0, head.length, 1);
  expect(cache.get(head, 0, head.length)).toBeNull();
});

test("get() never gives the value of other bytes, however few slots there are", () => {
  const head = fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 40 });
  fc.assert(
    fc.property(fc.array(head, { maxLength: 60 }), (heads) => {
      const cache = new HeadCache<string>(2);
      for (const text of heads) {
        const buf = Buffer.from(text);
        const hit = cache.get(buf, 0, buf.length);
        if (hit !== null) expect(hit).toBe(text);
        else cache.put(buf, 0, buf.length, text);
      }
    }),
    { numRuns: 300 },
  );
});
