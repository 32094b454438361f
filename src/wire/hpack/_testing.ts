/** Builders shared by the tests of this folder: literal blocks by hand, independent of the encoder. */
import { ByteSink } from "../../base/byte_sink.ts";
import type { HeaderBlock } from "../header_block.ts";
import { type BlockKind, HpackDecoder, REQUEST } from "./decoder.ts";

export const LIMITS = { maxTableSize: 4096, maxListBytes: 65_536, maxFields: 200 };

export function newDecoder(): HpackDecoder {
  return new HpackDecoder(LIMITS);
}

export function bytes(hex: string): Uint8Array {
  return Uint8Array.from((hex.match(/[0-9a-f]{2}/gi) ?? []).map((h) => parseInt(h, 16)));
}

export function hexOf(sink: ByteSink): string {
  return [...sink.buffer.subarray(0, sink.length)].map((b) => b.toString(16).padStart(2, "0")).join("");
}

/** [name, value, …] as literals without indexing (pattern 0x00), with indexing (0x40), or never indexed (0x10). */
export function literals(fields: readonly string[], pattern = 0x00): Uint8Array {
  const out: number[] = [];
  for (let i = 0; i < fields.length; i += 2) {
    out.push(pattern);
    for (const text of fields.slice(i, i + 2)) {
      out.push(...(text.length < 127 ? [text.length] : longLength(text.length)));
      for (const char of text) out.push(char.charCodeAt(0));
    }
  }
  return Uint8Array.from(out);
}

function longLength(length: number): number[] {
  const out = [127];
  let rest = length - 127;
  for (; rest >= 128; rest = Math.floor(rest / 128)) out.push(128 | (rest & 127));
  return [...out, rest];
}

export function decode(block: Uint8Array, kind: BlockKind = REQUEST, decoder = newDecoder()): HeaderBlock | number {
  return decoder.decode(block, 0, block.length, kind);
}

/** The block, which must have decoded. */
export function ok(result: HeaderBlock | number): HeaderBlock {
  if (typeof result === "number") throw new Error(`decoding failed with ${result}`);
  return result;
}

export const GET = [":method", "GET", ":scheme", "http", ":authority", "web", ":path", "/"];

export function concat(...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}
