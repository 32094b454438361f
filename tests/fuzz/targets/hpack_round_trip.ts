import { ByteSink } from "../../../src/base/byte_sink.ts";
import { type HeaderBlock, headerBlock } from "../../../src/wire/header_block.ts";
import { HpackDecoder, RESPONSE } from "../../../src/wire/hpack/decoder.ts";
import { HpackEncoder } from "../../../src/wire/hpack/encoder.ts";
import { PlainDecoder } from "../oracles/hpack.ts";
import { agree, type Target } from "../target.ts";

const NAMES = [
  "x-a",
  "x-b",
  "date",
  "etag",
  "set-cookie",
  "authorization",
  "grpc-status",
  "content-type",
  "x-request-id",
  "vary",
];
const TABLE_BYTES = 4096;

/** Each byte is a step: a field of the present section, or its end, or another table size. */
export const target: Target = {
  about:
    "sections through the HPACK encoder, with tables of changing size: read back by our decoder and by the RFC's letter",
  seeds: [
    "aAbBcC\x01aAbBcC\x01\x02aA\x01",
    "\x20\x40\x60\x01\x20\x40\x60\x01\x03\x20\x01",
    "zzzzz\x01zzzzz\x01\x04zz\x01zz\x01",
  ],
  maxBytes: 300,
  run(input) {
    const encoder = new HpackEncoder();
    const decoder = new HpackDecoder({ maxTableSize: TABLE_BYTES, maxListBytes: 1 << 20, maxFields: 1000 });
    const plain = new PlainDecoder(TABLE_BYTES);
    const sections = new Map<string, HeaderBlock>();
    let fields: string[] = [];
    for (const [at, byte] of input.entries()) {
      if (byte > 4) fields.push(NAMES[byte % NAMES.length] ?? "", valueOf(byte, at));
      else if (byte > 1) encoder.setMaxTableSize([0, 100, TABLE_BYTES][byte - 2] ?? 0);
      else {
        const key = JSON.stringify(fields);
        // The same object for the same fields, as decoders give it out: that is what the encoder remembers.
        const block = sections.get(key) ??
          headerBlock({ method: "", scheme: "", authority: "", path: "", protocol: "", status: 200 }, fields);
        sections.set(key, block);
        check(encoder, decoder, plain, block);
        fields = [];
      }
    }
  },
};

function check(encoder: HpackEncoder, decoder: HpackDecoder, plain: PlainDecoder, block: HeaderBlock): void {
  const sink = new ByteSink(16);
  encoder.encode(block, sink);
  const bytes = sink.buffer.slice(0, sink.length);
  const ours = decoder.decode(bytes, 0, bytes.length, RESPONSE);
  agree("read by ours", typeof ours === "number" ? ours : [ours.status, ours.fields], [block.status, block.fields]);
  agree("read by the letter", plain.decode(bytes)?.flat(), [":status", "200", ...block.fields]);
}

/** Short and long, usual and with bytes whose codes are long; without white space at the ends. */
function valueOf(byte: number, at: number): string {
  const filler = String.fromCharCode(byte < 0x21 || byte === 0x7f ? 0x61 : byte);
  return byte % 7 === 0 ? filler.repeat(byte * 4) : byte % 5 === 0 ? `${filler}${at}` : filler;
}
