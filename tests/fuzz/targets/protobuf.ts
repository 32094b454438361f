import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { BYTES, FIXED32, FIXED64, ProtoReader, VARINT } from "../../../src/wire/protobuf/reader.ts";
import { agree, holds, type Target, textOf } from "../target.ts";

type Item = readonly [field: number, type: number, value: string];

export const target: Target = {
  about: "protobuf: the same fields as @bufbuild/protobuf reads, or both refuse; no read beyond the message",
  seeds: [
    "\x08\x96\x01",
    "\x12\x07testing",
    "\x1a\x03\x08\x96\x01",
    "\x0d\x01\x02\x03\x04\x11\x01\x02\x03\x04\x05\x06\x07\x08",
    "\x0b\x0c",
  ],
  dictionary: ["\x08", "\x12", "\xff\xff\xff\xff\x0f", "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", "\x0a\x00"],
  maxBytes: 200,
  run(input) {
    const ours = readOurs(input);
    const theirs = readTheirs(input);
    // Groups, and numbers of fields that do not exist, are refused by us alone.
    if (ours === null || theirs === null) {
      return holds(ours === null || theirs !== null, `read by us, refused by theirs: ${JSON.stringify(ours)}`);
    }
    agree("fields", ours, theirs);
  },
};

function readOurs(input: Uint8Array): Item[] | null {
  const reader = new ProtoReader(input);
  const out: Item[] = [];
  let steps = 0;
  while (reader.next()) {
    holds(++steps <= input.length, "more fields than bytes");
    const { field, type } = reader as unknown as { field: number; type: number };
    if (type === BYTES) out.push([field, type, textOf(reader.view())]);
    else {
      reader.skip();
      out.push([field, type, ""]);
    }
  }
  return reader.failed ? null : out;
}

function readTheirs(input: Uint8Array): Item[] | null {
  try {
    const reader = new BinaryReader(input);
    const out: Item[] = [];
    while (reader.pos < reader.len) {
      const [field, type] = reader.tag();
      if (type === WireType.LengthDelimited) out.push([field, BYTES, textOf(reader.bytes())]);
      else {
        reader.skip(type, field);
        out.push([
          field,
          type === WireType.Varint
            ? VARINT
            : type === WireType.Bit64
            ? FIXED64
            : type === WireType.Bit32
            ? FIXED32
            : type,
          "",
        ]);
      }
    }
    return out;
  } catch {
    return null; // it throws where the bytes are no message
  }
}
