import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { expect, test } from "bun:test";
import fc from "fast-check";
import { DurationSchema } from "@bufbuild/protobuf/wkt";
import { EndpointSchema, RetrySchema } from "../../../proto/gen/tulle/discovery/v1/discovery_pb.ts";
import { ProtoReader } from "./reader.ts";
import { ProtoWriter } from "./writer.ts";

const uint32 = fc.oneof(fc.nat(200), fc.integer({ min: 0, max: 0xffff_ffff }));

test("ProtoWriter writes what the generated code reads", () => {
  const endpoint = fc.record({
    ip: fc.uint8Array({ maxLength: 300 }),
    port: uint32,
    identity: fc.string({ unit: "grapheme", maxLength: 40 }),
    weight: uint32,
  });
  fc.assert(fc.property(endpoint, ({ ip, port, identity, weight }) => {
    const bytes = new ProtoWriter().bytes(1, ip).number(2, port).text(3, identity).number(6, weight).finish();
    const message = fromBinary(EndpointSchema, bytes);
    expect([[...message.ip], message.port, message.identity, message.weight]).toEqual([
      [...ip],
      port,
      identity,
      weight,
    ]);
  }));
});

test("ProtoReader reads what the generated code writes, and skips what it does not know", () => {
  const value = fc.record({
    identity: fc.string({ unit: "grapheme", maxLength: 40 }),
    port: uint32,
    zone: fc.string(),
  });
  fc.assert(fc.property(value, (wanted) => {
    const read = { identity: "", port: 0 };
    const r = new ProtoReader(toBinary(EndpointSchema, create(EndpointSchema, { ...wanted, workload: { name: "x" } })));
    while (r.next()) {
      if (r.field === 2) read.port = r.number();
      else if (r.field === 3) read.identity = r.text();
      else r.skip();
    }
    expect([r.failed, read]).toEqual([false, { identity: wanted.identity, port: wanted.port }]);
  }));
});

test("signed() reads negative durations", () => {
  fc.assert(fc.property(fc.maxSafeInteger(), (seconds) => {
    const r = new ProtoReader(toBinary(DurationSchema, create(DurationSchema, { seconds: BigInt(seconds) })));
    let read = 0;
    while (r.next()) read = r.signed();
    expect([read, r.failed]).toEqual([seconds, false]);
  }));
});

test("numbers() reads repeated numbers packed and unpacked", () => {
  fc.assert(fc.property(fc.array(uint32, { minLength: 1, maxLength: 20 }), (codes) => {
    const packed = toBinary(RetrySchema, create(RetrySchema, { statusCodes: codes }));
    const unpacked = codes.flatMap((code) => [...(code === 0 ? [16, 0] : new ProtoWriter().number(2, code).finish())]);
    for (const bytes of [packed, Uint8Array.from(unpacked)]) {
      const r = new ProtoReader(bytes);
      const read: number[] = [];
      while (r.next()) r.numbers(read);
      expect([read, r.failed]).toEqual([codes, false]);
    }
  }));
});

test("ProtoReader ends on any bytes without reading past them", () => {
  const read = (r: ProtoReader, depth: number): void => {
    while (r.next()) {
      if (r.type === 2 && depth < 4 && r.field % 3 === 0) {
        const nested = r.message();
        read(nested, depth + 1);
      } else if (r.type === 2 && r.field % 3 === 1) r.text();
      else if (r.type === 2) expect(r.view().length).toBeLessThanOrEqual(r.bytes.length);
      else if (r.type === 0 && r.field % 2 === 0) r.number();
      else if (r.type === 0) r.signed();
      else r.skip();
    }
  };
  fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => read(new ProtoReader(bytes), 0)), {
    numRuns: 3000,
  });
});

test.each([
  ["a varint that does not end", [8, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1]],
  ["a length past the end", [10, 5, 1]],
  ["field number 0", [0, 1]],
  ["a group", [11, 12]],
  ["a tag of six bytes, which has 32 bits", [136, 128, 128, 128, 128, 0, 1]],
  ["another wire type than wanted", [13, 0, 0, 0, 0]],
])("ProtoReader fails on %s", (_what, bytes) => {
  const r = new ProtoReader(Uint8Array.from(bytes));
  while (r.next()) {
    if (r.field === 1 && r.type === 5) r.number();
    else r.skip();
  }
  expect(r.failed).toBe(true);
});

test("text() fails on invalid UTF-8", () => {
  const r = new ProtoReader(Uint8Array.from([10, 1, 0xff]));
  r.next();
  expect([r.text(), r.failed]).toEqual(["", true]);
});
