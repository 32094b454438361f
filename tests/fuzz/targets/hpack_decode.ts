import { COMPRESSION_ERROR, HpackDecoder, REQUEST, RESPONSE, TRAILERS } from "../../../src/wire/hpack/decoder.ts";
import { PlainDecoder } from "../oracles/hpack.ts";
import { agree, bytesOf, holds, type Target, textOf } from "../target.ts";
import type { Random } from "../random.ts";

const TABLE_BYTES = 4096;
/** Blocks that are looked up, kept, and found again. */
const TURNS = 3;

/** Blocks in a row, each behind its length in one byte. */
export const target: Target = {
  about:
    "HPACK blocks, several on one connection and more than once: the same fields as a decoder by the letter of the RFC finds",
  seeds: [
    blocks("\x82\x86\x84\x41\x0fwww.example.com", "\x82\x86\x84\xbe\x58\x08no-cache"),
    blocks(
      "\x82\x86\x84\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff",
      "\x82\x87\x85\xbf\x40\x0acustom-key\x0ccustom-value",
    ),
    blocks("\x48\x03302\x58\x07private", "\x20\x88", "\x3f\xe1\x1f\xc0"),
    blocks("\x82\x86\x84\x10\x03x-a\x011\x0f\x17\x01b\x00\x06cookie\x03a=b\x00\x06cookie\x01c"),
  ],
  dictionary: [
    "\x82\x86\x84",
    "\x40\x03x-a\x01b",
    "\x00\x04host\x03web",
    "\x20",
    "\x3f\xe1\x1f",
    "\xbe",
    "\xbf",
    "\x7f\x00",
    "\xff\x80\x00",
    "\x88",
  ],
  maxBytes: 600,
  generate,
  run(input) {
    for (const kind of [REQUEST, RESPONSE, TRAILERS] as const) {
      const decoder = new HpackDecoder({ maxTableSize: TABLE_BYTES, maxListBytes: 65_536, maxFields: 200 });
      const plain = new PlainDecoder(TABLE_BYTES);
      for (let turn = 0; turn < TURNS; turn++) {
        for (let at = 0; at < input.length;) {
          const end = Math.min(input.length, at + 1 + (input[at] ?? 0));
          const block = input.subarray(at + 1, end);
          at = end;
          const ours = decoder.decode(block, 0, block.length, kind);
          const theirs = plain.decode(block);
          if (ours === COMPRESSION_ERROR || theirs === null) {
            return agree("refused", ours === COMPRESSION_ERROR, theirs === null);
          }
          if (typeof ours === "number") continue; // HPACK is right, and a rule of HTTP broken
          const { method, scheme, authority, path, protocol, status } = ours;
          const wanted = theirs.filter(([name]) =>
            !name.startsWith(":") && name !== "cookie" && (name !== "host" || kind === RESPONSE)
          );
          agree("fields", pairs(ours.fields).filter(([name]) => name !== "cookie"), wanted);
          agree(
            "cookies",
            ours.get("cookie") ?? "",
            theirs.filter(([name]) => name === "cookie").map(([, value]) => value).join("; "),
          );
          const start = new Map(theirs.filter(([name]) => name.startsWith(":")));
          const host = theirs.find(([name]) => name === "host")?.[1] ?? "";
          agree(
            "the start",
            [method, scheme, path, protocol, status === 0 ? "" : String(status)],
            [":method", ":scheme", ":path", ":protocol", ":status"].map((name) => start.get(name) ?? ""),
          );
          holds(authority === (start.get(":authority") || (kind === REQUEST ? host : "")), `authority ${authority}`);
        }
      }
    }
  },
};

function pairs(fields: readonly string[]): (readonly [string, string])[] {
  return fields.flatMap((name, i) => i % 2 === 0 ? [[name, fields[i + 1] ?? ""] as const] : []);
}

function blocks(...texts: readonly string[]): Uint8Array {
  return bytesOf(texts.map((text) => String.fromCharCode(text.length) + text).join(""));
}

function generate(random: Random): Uint8Array {
  return blocks(...Array.from({ length: random.between(1, 5) }, () => {
    let out = random.oneIn(5) ? random.pick(["\x20", "\x3f\xe1\x1f", "\x3f\x45", "\x3f\xe2\x1f"]) : "";
    if (random.oneIn(2)) out += "\x82\x86\x84";
    for (let left = random.below(6); left > 0; left--) out += field(random);
    return out.slice(0, 250);
  }));
}

function field(random: Random): string {
  const text = () => {
    const bytes = random.oneIn(4)
      ? random.bytes(random.below(12))
      : bytesOf(random.pick(["a", "x-b", "trailers", "te", "3", "content-length", "host", "", "web"]));
    return String.fromCharCode(bytes.length | (random.oneIn(6) ? 128 : 0)) + textOf(bytes);
  };
  switch (random.below(4)) {
    case 0:
      return String.fromCharCode(128 | random.between(1, 70));
    case 1:
      return String.fromCharCode(64 | random.below(70 - 6)) + text();
    default:
      return String.fromCharCode(random.pick([0, 0x10, 0x40])) + text() + text();
  }
}
