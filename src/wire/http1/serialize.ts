import type { ByteSink } from "../../base/byte_sink.ts";
import type { HeaderBlock } from "../header_block.ts";
import { copyBytes } from "../../base/latin1.ts";
import { isAllOf, VALUE_BYTE } from "./_bytes.ts";
import { putRequest, putResponse, putStatusLine, putTrailers } from "./_encode.ts";
import { standardPhrase } from "./_reason.ts";
import {
  BAD_FIELD_VALUE,
  BAD_STATUS_LINE,
  FRAMING_CONFLICT,
  NOT_HTTP1,
  TRANSFER_ENCODING_IN_1_0,
} from "./error_code.ts";

/** Adds `connection: close`; wins over SEND_KEEP_ALIVE. */
export const SEND_CLOSE = 1;
/** Adds `connection: keep-alive`: needed in HTTP/1.0, implied in HTTP/1.1. */
export const SEND_KEEP_ALIVE = 2;
/** Adds `transfer-encoding: chunked`. */
export const SEND_CHUNKED = 4;
/** Adds `te: trailers` and its connection option (RFC 9110 §10.1.4); requests only. */
export const SEND_TE_TRAILERS = 8;
/** Adds `connection: upgrade` and the Upgrade field with the value given. */
export const SEND_UPGRADE = 16;
/** Writes the version as HTTP/1.0. */
export const SEND_HTTP10 = 32;
/** Writes the target as `scheme://authority/path`, as a forward proxy wants it; requests only. */
export const SEND_ABSOLUTE_FORM = 64;

/** Bits that alone decide on what follows the fields. */
const SUFFIX_BITS = SEND_CLOSE | SEND_KEEP_ALIVE | SEND_CHUNKED | SEND_TE_TRAILERS;
/** "HTTP/1.1 200 " and CR LF around the phrase. */
const STATUS_LINE_BYTES = 15;

/** The lines that depend on the connection, with the final empty line, by SUFFIX_BITS. */
const SUFFIXES: readonly Uint8Array[] = Array.from(
  { length: SUFFIX_BITS + 1 },
  (_, bits) => latin1Bytes(suffixText(bits, "")),
);

const LAST_CHUNK = latin1Bytes("0\r\n\r\n");
/** "0" and CR LF, the last chunk without the end of its trailers. */
const LAST_CHUNK_SIZE_BYTES = 3;
const HEX_DIGITS = latin1Bytes("0123456789abcdef");

/** Stands in `block.http1` for "written once": blocks that come once, as most do, are not worth a copy. */
const SEEN_ONCE = new Uint8Array(0);

/**
 * Appends a request head (RFC 9112 §3).
 *
 * What does not depend on the connection is memoised in `block.http1` from the second time on, so that a repeated block costs
 * two copies. Each part is checked, also where an HTTP/2 decoder should have done so: a request can never become two.
 *
 * @param bits SEND_* bits
 * @param upgrade value of Upgrade, used with SEND_UPGRADE
 * @returns 0, or a negative code of error_code.ts, with nothing appended: the block cannot be said in HTTP/1.1, or the bits
 *   contradict it (SEND_CHUNKED beside a content-length or in HTTP/1.0)
 */
export function appendRequestHead(sink: ByteSink, block: HeaderBlock, bits: number, upgrade: string): number {
  const suffix = suffixFor(block, bits, upgrade);
  if (typeof suffix === "number") return suffix;
  const at = sink.length;
  const isAbsolute = (bits & SEND_ABSOLUTE_FORM) !== 0 && block.method !== "CONNECT";
  const withHost = block.authority !== "" || (bits & SEND_HTTP10) === 0;
  if (isAbsolute && (block.authority === "" || (block.scheme !== "http" && block.scheme !== "https"))) return NOT_HTTP1;
  const isPlain = !isAbsolute && withHost;
  const memo = block.http1;
  if (isPlain && memo !== null && memo !== SEEN_ONCE) {
    sink.append(memo, 0, memo.length);
  } else {
    const bad = putRequest(sink, block, isAbsolute, withHost);
    if (bad < 0) return takeBack(sink, at, bad);
    if (isPlain) memoise(sink, at, block);
  }
  if ((bits & SEND_HTTP10) !== 0) sink.buffer[versionEnd(sink.buffer, at)] = 0x30;
  sink.append(suffix, 0, suffix.length);
  return 0;
}

/**
 * Appends a response head (RFC 9112 §4); memoised and checked as a request head is.
 *
 * @param reason reason phrase, "" for the registered one
 * @param bits SEND_* bits
 * @param upgrade value of Upgrade, used with SEND_UPGRADE
 * @returns 0, or a negative code with nothing appended
 */
export function appendResponseHead(
  sink: ByteSink,
  block: HeaderBlock,
  reason: string,
  bits: number,
  upgrade: string,
): number {
  const suffix = suffixFor(block, bits & ~SEND_TE_TRAILERS, upgrade);
  if (typeof suffix === "number") return suffix;
  const at = sink.length;
  const phrase = standardPhrase(block.status);
  const isPlain = reason === "" || reason === phrase;
  let memo = block.http1;
  if (memo === null || memo === SEEN_ONCE) {
    const bad = putResponse(sink, block);
    if (bad < 0) return takeBack(sink, at, bad);
    memo = memoise(sink, at, block);
    if (!isPlain && memo === SEEN_ONCE) memo = copyFrom(sink, at);
    if (!isPlain) sink.length = at;
  } else if (isPlain) {
    sink.append(memo, 0, memo.length);
  }
  if (!isPlain) {
    if (!putStatusLine(sink, block.status, reason)) return takeBack(sink, at, BAD_STATUS_LINE);
    sink.append(memo, STATUS_LINE_BYTES + phrase.length, memo.length);
  }
  if ((bits & SEND_HTTP10) !== 0) sink.buffer[at + 7] = 0x30;
  sink.append(suffix, 0, suffix.length);
  return 0;
}

/** Appends the size line of a chunk of `n` bytes; `n` must be above 0, for 0 would end the body. */
export function appendChunkHeader(sink: ByteSink, n: number): void {
  let digits = 1;
  for (let rest = Math.floor(n / 16); rest > 0; rest = Math.floor(rest / 16)) digits++;
  sink.reserve(digits + 2);
  const { buffer, length } = sink;
  let rest = n;
  for (let i = digits - 1; i >= 0; i--) {
    buffer[length + i] = HEX_DIGITS[rest % 16] as number; // 16 entries
    rest = Math.floor(rest / 16);
  }
  buffer[length + digits] = 0x0d;
  buffer[length + digits + 1] = 0x0a;
  sink.length = length + digits + 2;
}

/** Appends the CR LF behind the data of a chunk. */
export function appendChunkEnd(sink: ByteSink): void {
  sink.put1(0x0d);
  sink.put1(0x0a);
}

/** Appends the last chunk of a body without trailers. */
export function appendLastChunk(sink: ByteSink): void {
  sink.append(LAST_CHUNK, 0, LAST_CHUNK.length);
}

/**
 * Appends the last chunk with trailers (RFC 9112 §7.1.2); those that must not come late are left out.
 *
 * @returns 0, or a negative code with nothing appended; the body then still needs its end
 */
export function appendTrailers(sink: ByteSink, block: HeaderBlock): number {
  const at = sink.length;
  sink.append(LAST_CHUNK, 0, LAST_CHUNK_SIZE_BYTES);
  const bad = putTrailers(sink, block);
  if (bad < 0) return takeBack(sink, at, bad);
  appendChunkEnd(sink);
  return 0;
}

/** Remembers what was appended from `at` when it is the second time; returns what the block has then. */
function memoise(sink: ByteSink, at: number, block: HeaderBlock): Uint8Array {
  return block.http1 = block.http1 === null ? SEEN_ONCE : copyFrom(sink, at);
}

/** What was appended from `at`, as bytes of their own (`slice` of a Buffer would be a view of the sink). */
function copyFrom(sink: ByteSink, at: number): Uint8Array {
  const bytes = new Uint8Array(sink.length - at);
  copyBytes(sink.buffer, at, sink.length, bytes, 0);
  return bytes;
}

function takeBack(sink: ByteSink, at: number, code: number): number {
  sink.length = at;
  return code;
}

/** Index of the minor version in the request line at `at`, which is complete and has two SP and a CR. */
function versionEnd(buf: Uint8Array, at: number): number {
  let i = at;
  while (buf[i] !== 0x0d) i++;
  return i - 1;
}

/** The lines behind the fields, or a code when the bits contradict the block or each other. */
function suffixFor(block: HeaderBlock, bits: number, upgrade: string): Uint8Array | number {
  if ((bits & SEND_CHUNKED) !== 0) {
    if (block.contentLength >= 0) return FRAMING_CONFLICT;
    if ((bits & SEND_HTTP10) !== 0) return TRANSFER_ENCODING_IN_1_0;
  }
  if ((bits & SEND_UPGRADE) === 0) return SUFFIXES[bits & SUFFIX_BITS] as Uint8Array; // the table has all of them
  if (upgrade === "" || !isAllOf(VALUE_BYTE, upgrade)) return BAD_FIELD_VALUE;
  return latin1Bytes(suffixText(bits, upgrade));
}

function suffixText(bits: number, upgrade: string): string {
  const options: string[] = [];
  if ((bits & SEND_CLOSE) !== 0) options.push("close");
  else if ((bits & SEND_KEEP_ALIVE) !== 0) options.push("keep-alive");
  if ((bits & SEND_UPGRADE) !== 0) options.push("upgrade");
  if ((bits & SEND_TE_TRAILERS) !== 0) options.push("te");
  let text = options.length > 0 ? `connection: ${options.join(", ")}\r\n` : "";
  if ((bits & SEND_UPGRADE) !== 0) text += `upgrade: ${upgrade}\r\n`;
  if ((bits & SEND_TE_TRAILERS) !== 0) text += "te: trailers\r\n";
  if ((bits & SEND_CHUNKED) !== 0) text += "transfer-encoding: chunked\r\n";
  return `${text}\r\n`;
}

/** Checked text, one byte per character. */
function latin1Bytes(text: string): Uint8Array {
  return Buffer.from(text, "latin1");
}
