import { expect, test } from "bun:test";
import fc from "fast-check";
import { readAck, readAttributes, readMessages, readText, readU32 } from "./message_reader.ts";
import { MessageWriter } from "./message_writer.ts";

test("readMessages() gives back what was written", () => {
  const writer = new MessageWriter();
  for (const type of [20, 21]) {
    const start = writer.beginMessage(type, 3, type + 100);
    writer.attrText(1, "lo");
    writer.endMessage(start);
  }
  const read = readMessages(writer.bytes());
  expect(read.map((message) => [message.type, message.flags, message.sequence])).toEqual([[20, 3, 120], [21, 3, 121]]);
  const name = readAttributes(writer.bytes(), read[1]?.start ?? 0, read[1]?.end ?? 0).get(1);
  expect(readText(name ?? new Uint8Array())).toBe("lo");
});

test("readMessages() and readAttributes() stay inside the bytes when lengths lie", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      for (const message of readMessages(bytes)) {
        expect(message.end).toBeLessThanOrEqual(bytes.length);
        readAck(bytes, message);
        for (const value of readAttributes(bytes, message.start, message.end).values()) readU32(value);
      }
    }),
    { numRuns: 500 },
  );
});

test("readAck() gives the number and the kernel's words when the answer carries them", () => {
  const writer = new MessageWriter();
  const start = writer.beginMessage(2, 0x300, 9);
  writer.u32(-17).u32(20).u32(0).u32(0).u32(0).attrText(1, "Address already assigned");
  writer.endMessage(start);
  const message = readMessages(writer.bytes())[0];
  expect(message && readAck(writer.bytes(), message)).toEqual({ errno: 17, detail: "Address already assigned" });
});

test("readAck() calls a truncated answer an input/output error", () => {
  const message = { type: 2, flags: 0, sequence: 1, start: 0, end: 4 };
  expect(readAck(new Uint8Array(4), message).errno).toBe(5);
});

test("readAck() passes over words that begin outside of the answer (it threw)", () => {
  const bytes = new Uint8Array(36);
  const view = new DataView(bytes.buffer);
  view.setUint32(20, 0xffff_fff0, true); // length of the request that is said to follow
  for (const flags of [0x200, 0x300]) {
    const message = { type: 2, flags, sequence: 1, start: 16, end: 36 };
    expect(readAck(bytes, message)).toEqual({ errno: -0, detail: "" });
  }
});
