import { expect, test } from "bun:test";
import { ByteSink } from "./byte_sink.ts";

test("put1(), put3(), put4() append big-endian and truncate to their width", () => {
  const sink = new ByteSink(0);
  sink.put1(0x1ff);
  sink.put3(0x010203);
  sink.put4(0xfffefdfc);
  expect([...sink.buffer.subarray(0, sink.length)]).toEqual([0xff, 1, 2, 3, 0xff, 0xfe, 0xfd, 0xfc]);
});

test.each([0, 1, 31, 44, 45, 300, 5000])("append() keeps all bytes when it grows by %d", (n) => {
  const src = Uint8Array.from({ length: n + 2 }, (_, i) => i * 7);
  const sink = new ByteSink(3);
  sink.put1(9);
  sink.append(src, 1, n + 1);
  sink.append(src, 1, n + 1);
  const part = [...src.subarray(1, n + 1)];
  expect([...sink.buffer.subarray(0, sink.length)]).toEqual([9, ...part, ...part]);
});

test("reserve() gives an emptied sink a buffer again", () => {
  const sink = new ByteSink(8);
  sink.buffer = new Uint8Array(0);
  sink.reset();
  sink.reserve(10);
  expect(sink.buffer.length).toBeGreaterThanOrEqual(10);
  expect(sink.length).toBe(0);
});

test("appendAscii() appends a byte for each character", () => {
  const sink = new ByteSink(0);
  sink.put1(1);
  sink.appendAscii("PRI *");
  expect([...sink.buffer.subarray(0, sink.length)]).toEqual([1, 0x50, 0x52, 0x49, 0x20, 0x2a]);
});

test("reserve() takes larger buffers from the pool, and gives back what it has outgrown with its bytes copied", () => {
  const asked: number[] = [];
  const given: Uint8Array[] = [];
  const pool = {
    take(bytes: number) {
      asked.push(bytes);
      return new Uint8Array(bytes + 1);
    },
    give: (buffer: Uint8Array) => void given.push(buffer),
  };
  const sink = new ByteSink(4, pool);
  const first = sink.buffer;
  sink.put4(0x01020304);
  sink.put1(5);
  expect([asked, given]).toEqual([[256], [first]]);
  sink.reserve(1000);
  expect([sink.buffer.length, ...sink.buffer.subarray(0, sink.length)]).toEqual([1006, 1, 2, 3, 4, 5]);
});
