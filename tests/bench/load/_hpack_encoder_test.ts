import { expect, test } from "bun:test";
import { ByteSink } from "../../../src/base/byte_sink.ts";
import type { HeaderBlock } from "../../../src/wire/header_block.ts";
import { HpackDecoder, REQUEST } from "../../../src/wire/hpack/decoder.ts";
import { type Field, GrpcHpackEncoder } from "./_hpack_encoder.ts";

const PSEUDO: Field[] = [[":method", "POST"], [":scheme", "http"], [":path", "/a/B"], [":authority", "bench.test"]];

function decoder(): HpackDecoder {
  return new HpackDecoder({ maxTableSize: 4096, maxListBytes: 1 << 16, maxFields: 100 });
}

function decode(into: HpackDecoder, sink: ByteSink): HeaderBlock {
  const block = into.decode(sink.buffer, 0, sink.length, REQUEST);
  if (typeof block === "number") throw new Error(`not decodable: ${block}`);
  sink.reset();
  return block;
}

test("blocks decode to their fields while unique values push others out of the table", () => {
  const encoder = new GrpcHpackEncoder();
  const into = decoder();
  const sink = new ByteSink(0);
  for (let n = 0; n < 500; n++) {
    const id = `${n}-${"x".repeat(n % 60)}`;
    encoder.encode([...PSEUDO, ["te", "trailers"], ["x-request-id", id]], sink);
    const block = decode(into, sink);
    expect([block.method, block.path, block.authority]).toEqual(["POST", "/a/B", "bench.test"]);
    expect(block.fields).toEqual(["te", "trailers", "x-request-id", id]);
  }
});

test("a block that repeats is all indices", () => {
  const encoder = new GrpcHpackEncoder();
  const sink = new ByteSink(0);
  encoder.encode(PSEUDO, sink);
  sink.reset();
  encoder.encode(PSEUDO, sink);
  expect(sink.length).toBe(4);
});

test("setTableSize() is announced and obeyed (RFC 7541 §4.2)", () => {
  const encoder = new GrpcHpackEncoder();
  const into = decoder();
  const sink = new ByteSink(0);
  encoder.encode(PSEUDO, sink);
  decode(into, sink);
  encoder.setTableSize(0);
  encoder.encode(PSEUDO, sink);
  expect(sink.buffer[0]).toBe(0x20);
  expect(decode(into, sink).path).toBe("/a/B");
});
