/** Messages by their descriptors: of the right form, with values that are nearly right. */
import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import type { Random } from "../random.ts";

/** Deeper messages are left out. */
const MAX_DEPTH = 7;

const TEXTS: Readonly<Record<string, readonly string[]>> = {
  ip: ["10.0.0.1", "10.0.0.1", "fd00::1", "::ffff:1.2.3.4", "1.2.3", ""],
  cidr: ["10.0.0.0/8", "0.0.0.0/0", "fd00::/8", "10.0.0.1", "::/129"],
  identity: ["spiffe://cluster.local/ns/shop/sa/web", "spiffe://a/b", "", "https://a"],
  identities: ["spiffe://cluster.local/ns/shop/sa/web", "*", "spiffe://*.a", ""],
  hostnames: ["web.shop", "*.shop", "WEB.", "", "a b"],
  regex: ["/a.*", "(a|b)+", "[", "(?i)x", "a{1000}", "(a{99}){99}"],
  exact: ["/a", "/", "", "a", "/%41", "/é"],
  prefix: ["/a/", "/", "", "a"],
  name: ["x-a", "Host", "a", "inbound", "outbound/web.shop:80", ":path", "x a", ""],
  method: ["GET", "get", "", "a b"],
  key: ["10.0.0.1:80", "web.shop:80", ""],
  authority: ["web.shop:80", "web.shop", ""],
};
const ANY_TEXT = ["", "web", "shop", "a/b", "\0", "é", "x".repeat(300)];
const NUMBERS = [0, 1, 2, 3, 80, 8080, 65_535, 65_536, 0x7fffffff, 1000, 10_000];

export function messageBytes(schema: DescMessage, random: Random, depth = 0): Uint8Array {
  const writer = new BinaryWriter();
  for (const field of schema.fields) {
    const often = random.oneIn(8) ? 0 : field.fieldKind === "list" ? random.below(3) : random.oneIn(12) ? 2 : 1;
    if (random.oneIn(5) || field.oneof !== undefined && !random.oneIn(field.oneof.fields.length)) continue;
    for (let left = often; left > 0; left--) write(writer, field, random, depth);
  }
  return writer.finish();
}

function write(writer: BinaryWriter, field: DescField, random: Random, depth: number): void {
  const { message, scalar } = field;
  if (message !== undefined) {
    if (depth >= MAX_DEPTH) return;
    const bytes = message.typeName === "google.protobuf.Duration"
      ? duration(random)
      : messageBytes(message, random, depth + 1);
    writer.tag(field.number, WireType.LengthDelimited).bytes(bytes);
  } else if (scalar === ScalarType.STRING) {
    writer.tag(field.number, WireType.LengthDelimited).string(textFor(field, random));
  } else if (scalar === ScalarType.BYTES) {
    writer.tag(field.number, WireType.LengthDelimited).bytes(random.bytes(random.pick([0, 4, 16])));
  } else if (scalar === ScalarType.DOUBLE) {
    writer.tag(field.number, WireType.Bit64).double(random.pick([0, 0.5, 1, -1, NaN, Infinity]));
  } else if (scalar === ScalarType.FLOAT) writer.tag(field.number, WireType.Bit32).float(random.pick([0, 0.5, NaN]));
  else writer.tag(field.number, WireType.Varint).uint32(numberFor(field, random));
}

function textFor(field: DescField, random: Random): string {
  return random.oneIn(12) ? random.pick(ANY_TEXT) : random.pick(TEXTS[field.name] ?? ANY_TEXT);
}

function numberFor(field: DescField, random: Random): number {
  if (field.name.includes("port")) return random.pick([80, 8080, 4143, 0, 65_536]);
  return field.enum !== undefined ? random.below(field.enum.values.length + 1) : random.pick(NUMBERS);
}

function duration(random: Random): Uint8Array {
  return new BinaryWriter().tag(1, WireType.Varint).int64(random.pick([0, 1, 10, -1, 1e12])).tag(2, WireType.Varint)
    .int32(random.pick([0, 5e8, -1, 2e9])).finish();
}
