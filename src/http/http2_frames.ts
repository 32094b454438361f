/** The small frames of a connection, appended to its outbox. */
import type { Outbox } from "../net/outbox.ts";
import type { HeaderBlock } from "../wire/header_block.ts";
import type { HpackEncoder } from "../wire/hpack/encoder.ts";
import * as frame from "../wire/http2/frame_type.ts";

/** Appends the acknowledgement of the peer's SETTINGS. */
export function writeSettingsAck(outbox: Outbox): void {
  frame.putFrameHeader(outbox.begin(), 0, frame.SETTINGS, frame.ACK, 0);
}

/**
 * Appends a PING.
 *
 * @param payload what its last 32 bits are, to know the answer by
 */
export function writePing(outbox: Outbox, payload: number): void {
  const sink = outbox.begin();
  frame.putFrameHeader(sink, 8, frame.PING, 0, 0);
  sink.put4(0);
  sink.put4(payload);
}

/** Answers the PING whose payload is at `start`. */
export function writePingAck(outbox: Outbox, buffer: Uint8Array, start: number): void {
  const sink = outbox.begin();
  frame.putFrameHeader(sink, 8, frame.PING, frame.ACK, 0);
  sink.append(buffer, start, start + 8);
}

/** Appends credit of `bytes`, above 0; stream 0 is the connection. */
export function writeWindowUpdate(outbox: Outbox, streamId: number, bytes: number): void {
  const sink = outbox.begin();
  frame.putFrameHeader(sink, 4, frame.WINDOW_UPDATE, 0, streamId);
  sink.put4(bytes);
}

/** Appends SETTINGS that change the window with which streams begin. */
export function writeInitialWindow(outbox: Outbox, bytes: number): void {
  frame.putSettings(outbox.begin(), [[frame.SETTINGS_INITIAL_WINDOW_SIZE, bytes]]);
}

/** Appends the end of a stream. */
export function writeRstStream(outbox: Outbox, streamId: number, h2Code: number): void {
  const sink = outbox.begin();
  frame.putFrameHeader(sink, 4, frame.RST_STREAM, 0, streamId);
  sink.put4(h2Code);
}

/** Appends the announcement that streams above `lastId` are not served. */
export function writeGoAway(outbox: Outbox, lastId: number, h2Code: number, detail = ""): void {
  const sink = outbox.begin();
  frame.putFrameHeader(sink, 8 + detail.length, frame.GOAWAY, 0, 0);
  sink.put4(lastId);
  sink.put4(h2Code);
  for (let i = 0; i < detail.length; i++) sink.put1(detail.charCodeAt(i));
}

/** Appends a header section, split into CONTINUATIONs when it is longer than a frame may be. */
export function writeHeaderSection(
  outbox: Outbox,
  encoder: HpackEncoder,
  streamId: number,
  head: HeaderBlock,
  end: boolean,
  maxFrame: number,
): void {
  const sink = outbox.begin();
  const at = sink.length;
  frame.putFrameHeader(sink, 0, frame.HEADERS, frame.END_HEADERS | (end ? frame.END_STREAM : 0), streamId);
  encoder.encode(head, sink);
  const length = sink.length - at - frame.FRAME_HEADER_BYTES;
  if (length <= maxFrame) frame.patchLength(sink, at, length);
  else frame.splitHeaders(sink, at, length, maxFrame, streamId);
}

/** An empty DATA frame with END_STREAM. */
export function writeEndStream(outbox: Outbox, streamId: number): void {
  frame.putFrameHeader(outbox.begin(), 0, frame.DATA, frame.END_STREAM, streamId);
}
