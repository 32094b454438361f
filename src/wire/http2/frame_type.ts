/**
 * Frames of HTTP/2: types, flags, settings (RFC 9113 §6), and writing their headers.
 *
 *     length (24) | type (8) | flags (8) | reserved (1) | stream id (31) | payload (length)
 */
import type { ByteSink } from "../../base/byte_sink.ts";

/** Bytes before the payload. */
export const FRAME_HEADER_BYTES = 9;

export const DATA = 0;
export const HEADERS = 1;
export const PRIORITY = 2;
export const RST_STREAM = 3;
export const SETTINGS = 4;
export const PUSH_PROMISE = 5;
export const PING = 6;
export const GOAWAY = 7;
export const WINDOW_UPDATE = 8;
export const CONTINUATION = 9;

/** DATA and HEADERS: nothing follows on the stream but, after HEADERS, its CONTINUATIONs. */
export const END_STREAM = 0x1;
/** SETTINGS and PING: the answer. */
export const ACK = 0x1;
/** HEADERS and CONTINUATION: the header block ends here. */
export const END_HEADERS = 0x4;
/** DATA and HEADERS: a pad length and padding are there. */
export const PADDED = 0x8;
/** HEADERS: a priority is there. */
export const PRIORITY_FLAG = 0x20;

export const SETTINGS_HEADER_TABLE_SIZE = 1;
export const SETTINGS_ENABLE_PUSH = 2;
export const SETTINGS_MAX_CONCURRENT_STREAMS = 3;
export const SETTINGS_INITIAL_WINDOW_SIZE = 4;
export const SETTINGS_MAX_FRAME_SIZE = 5;
export const SETTINGS_MAX_HEADER_LIST_SIZE = 6;
/** RFC 8441 §3. */
export const SETTINGS_ENABLE_CONNECT_PROTOCOL = 8;

/** Appends a frame header. `length` is the payload's, in bytes. */
export function putFrameHeader(sink: ByteSink, length: number, type: number, flags: number, streamId: number): void {
  sink.reserve(FRAME_HEADER_BYTES);
  const { buffer } = sink;
  const at = sink.length;
  writeFrameHeader(buffer, at, length, type, flags, streamId);
  sink.length = at + FRAME_HEADER_BYTES;
}

/** Appends a SETTINGS frame of [identifier, value] pairs; those with a negative value are left out. */
export function putSettings(sink: ByteSink, settings: readonly (readonly [number, number])[]): void {
  const at = sink.length;
  putFrameHeader(sink, 0, SETTINGS, 0, 0);
  for (const [id, value] of settings) {
    if (value < 0) continue;
    sink.put1(id >>> 8);
    sink.put1(id);
    sink.put4(value);
  }
  patchLength(sink, at, sink.length - at - FRAME_HEADER_BYTES);
}

/** Sets the length of the frame whose header is at `at`, once its payload is known. */
export function patchLength(sink: ByteSink, at: number, length: number): void {
  const { buffer } = sink;
  buffer[at] = length >>> 16;
  buffer[at + 1] = length >>> 8;
  buffer[at + 2] = length;
}

/**
 * Makes HEADERS with CONTINUATIONs (RFC 9113 §6.10) of a HEADERS frame that is too long: the last frame of the sink.
 *
 * @param at where its header is; END_HEADERS is set there
 * @param length bytes of its payload, more than `maxFrame`
 * @param maxFrame largest payload of a frame the peer takes
 */
export function splitHeaders(sink: ByteSink, at: number, length: number, maxFrame: number, streamId: number): void {
  const pieces = Math.ceil(length / maxFrame);
  sink.reserve((pieces - 1) * FRAME_HEADER_BYTES);
  const { buffer } = sink;
  const payload = at + FRAME_HEADER_BYTES;
  for (let i = pieces - 1; i > 0; i--) { // from the last one, so that nothing is overwritten before it has moved
    const from = payload + i * maxFrame;
    const bytes = Math.min(maxFrame, length - i * maxFrame);
    const to = from + i * FRAME_HEADER_BYTES;
    buffer.copyWithin(to, from, from + bytes);
    const flags = i === pieces - 1 ? END_HEADERS : 0;
    writeFrameHeader(buffer, to - FRAME_HEADER_BYTES, bytes, CONTINUATION, flags, streamId);
  }
  patchLength(sink, at, maxFrame);
  buffer[at + 4] = (buffer[at + 4] as number) & ~END_HEADERS; // the header is there
  sink.length += (pieces - 1) * FRAME_HEADER_BYTES;
}

function writeFrameHeader(
  buffer: Uint8Array,
  at: number,
  length: number,
  type: number,
  flags: number,
  streamId: number,
): void {
  buffer[at] = length >>> 16;
  buffer[at + 1] = length >>> 8;
  buffer[at + 2] = length;
  buffer[at + 3] = type;
  buffer[at + 4] = flags;
  buffer[at + 5] = streamId >>> 24;
  buffer[at + 6] = streamId >>> 16;
  buffer[at + 7] = streamId >>> 8;
  buffer[at + 8] = streamId;
}
