import { expect, test } from "bun:test";
import fc from "fast-check";
import { ByteSink } from "../../base/byte_sink.ts";
import * as frame from "./frame_type.ts";

const bytesOf = (sink: ByteSink): number[] => [...sink.buffer.subarray(0, sink.length)];

test("putFrameHeader() writes the nine bytes of RFC 9113 §4.1", () => {
  const sink = new ByteSink(0);
  frame.putFrameHeader(sink, 0x010203, frame.HEADERS, frame.END_STREAM | frame.END_HEADERS, 0x7ffefdfc);
  expect(bytesOf(sink)).toEqual([1, 2, 3, 1, 5, 0x7f, 0xfe, 0xfd, 0xfc]);
});

test("putSettings() leaves out settings with a negative value", () => {
  const sink = new ByteSink(0);
  frame.putSettings(sink, [[frame.SETTINGS_ENABLE_PUSH, 0], [frame.SETTINGS_MAX_CONCURRENT_STREAMS, -1], [
    frame.SETTINGS_INITIAL_WINDOW_SIZE,
    0x01020304,
  ]]);
  expect(bytesOf(sink)).toEqual([0, 0, 12, 4, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 4, 1, 2, 3, 4]);
});

test("splitHeaders() keeps the block and bounds every frame", () => {
  const run = (block: Uint8Array, maxFrame: number, before: number) => {
    const sink = new ByteSink(0);
    for (let i = 0; i < before; i++) sink.put1(0xee);
    frame.putFrameHeader(sink, 0, frame.HEADERS, frame.END_HEADERS | frame.END_STREAM, 5);
    sink.append(block, 0, block.length);
    frame.splitHeaders(sink, before, block.length, maxFrame, 5);
    const joined: number[] = [];
    let at = before;
    let frames = 0;
    while (at < sink.length) {
      const [a, b, c, type, flags] = bytesOf(sink).slice(at, at + 5) as [number, number, number, number, number];
      const length = (a << 16) | (b << 8) | c;
      const last = at + 9 + length === sink.length;
      expect(length).toBeLessThanOrEqual(maxFrame);
      expect(type).toBe(frames++ === 0 ? frame.HEADERS : frame.CONTINUATION);
      expect((flags & frame.END_HEADERS) !== 0).toBe(last);
      expect((flags & frame.END_STREAM) !== 0).toBe(frames === 1);
      expect(bytesOf(sink).slice(at + 5, at + 9)).toEqual([0, 0, 0, 5]);
      joined.push(...bytesOf(sink).slice(at + 9, at + 9 + length));
      at += 9 + length;
    }
    expect(joined).toEqual([...block]);
    expect(bytesOf(sink).slice(0, before)).toEqual(new Array(before).fill(0xee));
  };
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 2, maxLength: 120 }),
      fc.integer({ min: 1, max: 60 }),
      fc.nat(5),
      (b, m, n) => {
        if (b.length > m) run(b, m, n);
      },
    ),
    { numRuns: 200 },
  );
});
