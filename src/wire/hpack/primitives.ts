/** Integers and strings of HPACK (RFC 7541 §5), written. */
import type { ByteSink } from "../../base/byte_sink.ts";
import { byteAt, encodeHuffman, huffmanBytes } from "./huffman_encode.ts";

/** Most bytes an integer of 32 bits takes. */
const INTEGER_BYTES = 6;
/** Strings up to this length have a length prefix of one byte, coded or not. */
const SHORT_STRING = 126;
/** Most bytes a Huffman code takes. */
const CODE_BYTES = 4;

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

/** Appends a string, Huffman-encoded when that is shorter: for what is sent once and indexed. */
export function putString(sink: ByteSink, text: string): void {
  const { length } = text;
  if (length > SHORT_STRING) return putLongString(sink, text);
  sink.reserve(1 + length * CODE_BYTES);
  const at = sink.length;
  const { buffer } = sink;
  const end = encodeHuffman(text, buffer, at + 1);
  if (end - at - 1 >= length) return putPlainString(sink, text);
  buffer[at] = 0x80 | (end - at - 1);
  sink.length = end;
}

/**
 * Appends a string as it is: for what will not come again. It is a quarter longer than coded, and costs a fifth of the
 * time here and a third at the receiver.
 */
export function putPlainString(sink: ByteSink, text: string): void {
  const { length } = text;
  putInteger(sink, 0, 0x7f, length);
  sink.reserve(length);
  const { buffer } = sink;
  const at = sink.length;
  for (let i = 0; i < length; i++) buffer[at + i] = byteAt(text, i);
  sink.length = at + length;
}

function putLongString(sink: ByteSink, text: string): void {
  const coded = huffmanBytes(text);
  if (coded >= text.length) return putPlainString(sink, text);
  putInteger(sink, 0x80, 0x7f, coded);
  sink.reserve(coded);
  sink.length = encodeHuffman(text, sink.buffer, sink.length);
}
