/** Integers and strings of HPACK (RFC 7541 §5), written. */
import type { ByteSink } from "../byte_sink.ts";
import { byteAt, encodeHuffman, huffmanBytes } from "./huffman_encode.ts";

/** Most bytes an integer of 32 bits takes. */
const INTEGER_BYTES = 6;
/** Strings up to this length have a length prefix of one byte, coded or not. */
const SHORT_STRING = 126;

/**
 * Appends an integer.
 *
 * @param pattern the bits above the prefix
 * @param mask the prefix, all ones
 */
export function putInteger(sink: ByteSink, pattern: number, mask: number, value: number): void {
  sink.reserve(INTEGER_BYTES);
  const { buffer } = sink;
  let at = sink.length;
  if (value < mask) buffer[at++] = pattern | value;
  else {
    buffer[at++] = pattern | mask;
    let rest = value - mask;
    while (rest >= 0x80) {
      buffer[at++] = (rest & 0x7f) | 0x80;
      rest = Math.floor(rest / 128);
    }
    buffer[at++] = rest;
  }
  sink.length = at;
}

/** Appends a string, Huffman-encoded when that is shorter. */
export function putString(sink: ByteSink, text: string): void {
  const length = text.length;
  sink.reserve(length + INTEGER_BYTES + 8); // the Huffman writer may pass its limit by 4 before it notices
  if (length > SHORT_STRING) return putLongString(sink, text);
  const at = sink.length;
  const { buffer } = sink;
  const end = encodeHuffman(text, buffer, at + 1, length - 1);
  if (end >= 0) {
    buffer[at] = 0x80 | (end - at - 1);
    sink.length = end;
    return;
  }
  buffer[at] = length;
  putRaw(sink, text, at + 1);
}

function putLongString(sink: ByteSink, text: string): void {
  const coded = huffmanBytes(text);
  if (coded >= text.length) {
    putInteger(sink, 0, 0x7f, text.length);
    putRaw(sink, text, sink.length);
    return;
  }
  putInteger(sink, 0x80, 0x7f, coded);
  sink.length = encodeHuffman(text, sink.buffer, sink.length, coded);
}

function putRaw(sink: ByteSink, text: string, at: number): void {
  const { buffer } = sink;
  for (let i = 0; i < text.length; i++) buffer[at + i] = byteAt(text, i);
  sink.length = at + text.length;
}
