/** The frames that carry neither header sections nor data, each checked before it changes anything (RFC 9113 §6). */
import * as code from "../wire/http2/error_code.ts";
import * as frame from "../wire/http2/frame_type.ts";
import { MAX_WINDOW_BYTES } from "../wire/http2/flow_control.ts";
import { read31, read32 } from "./_read.ts";
import { writePingAck } from "./http2_frames.ts";
import type { Http2Reader } from "./http2_reader.ts";
import { acknowledgeSettings, applySettings } from "./http2_settings.ts";
import { MAX_SETTINGS } from "./limits.ts";

/** Streams whose window SETTINGS changes for the price of one frame without data: both take about as long. */
const STREAMS_PER_TOKEN = 32;

/** More may be sent on a stream, or (stream 0) on the connection (§6.9). */
export function onWindowUpdate(reader: Http2Reader, buffer: Uint8Array, at: number, length: number, id: number): void {
  const { connection } = reader;
  if (length !== 4) return connection.fail(code.FRAME_SIZE_ERROR, "WINDOW_UPDATE is not 4 bytes");
  const bytes = read31(buffer, at);
  if (id === 0) {
    connection.sendWindow += bytes;
    if (bytes === 0) return connection.fail(code.PROTOCOL_ERROR, "WINDOW_UPDATE of 0");
    if (connection.sendWindow > MAX_WINDOW_BYTES) {
      return connection.fail(code.FLOW_CONTROL_ERROR, "window above 2^31-1");
    }
    connection.pumpSoon();
    return void reader.spendAnswer();
  }
  const stream = connection.streams.get(id);
  if (stream === undefined) {
    if (reader.isIdle(id)) connection.fail(code.PROTOCOL_ERROR, "WINDOW_UPDATE on an idle stream");
    else reader.spendAnswer();
    return;
  }
  if (bytes === 0) return void reader.streamError(stream, code.PROTOCOL_ERROR, "WINDOW_UPDATE of 0");
  stream.sendWindow += bytes;
  if (stream.sendWindow > MAX_WINDOW_BYTES) {
    return void reader.streamError(stream, code.FLOW_CONTROL_ERROR, "window above 2^31-1");
  }
  if (stream.queued > 0) stream.pump();
  reader.spendAnswer();
}

/** The peer ends a stream (§6.4). */
export function onRstStream(reader: Http2Reader, buffer: Uint8Array, at: number, length: number, id: number): void {
  const { connection } = reader;
  if (length !== 4) return connection.fail(code.FRAME_SIZE_ERROR, "RST_STREAM is not 4 bytes");
  if (id === 0 || reader.isIdle(id)) return connection.fail(code.PROTOCOL_ERROR, "RST_STREAM on an idle stream");
  const stream = connection.streams.get(id);
  // A server that resets what we opened makes no work that we did not begin.
  if ((connection.isServer || stream === undefined) && !reader.spend()) return;
  if (stream === undefined) return;
  const h2Code = read32(buffer, at);
  connection.abortStream(stream, h2Code, h2Code === code.REFUSED_STREAM, "reset by the peer");
}

/** The peer's SETTINGS, or its acknowledgement of ours (§6.5). */
export function onSettings(
  reader: Http2Reader,
  buffer: Uint8Array,
  at: number,
  length: number,
  flags: number,
  id: number,
): void {
  const { connection } = reader;
  if (id !== 0) return connection.fail(code.PROTOCOL_ERROR, "SETTINGS on a stream");
  if ((flags & frame.ACK) !== 0) {
    if (length !== 0) return connection.fail(code.FRAME_SIZE_ERROR, "SETTINGS acknowledgement with a payload");
    if (reader.spend()) connection.windows.onAcknowledged();
    return;
  }
  if (length % 6 !== 0) return connection.fail(code.FRAME_SIZE_ERROR, "SETTINGS is not a multiple of 6 bytes");
  if (length > 6 * MAX_SETTINGS) return connection.calm("flood", `${length / 6} values in SETTINGS`);
  if (!reader.spend()) return;
  const before = connection.peerInitialWindow;
  const error = applySettings(connection, buffer, at, at + length);
  if (error !== code.NO_ERROR) return connection.fail(error, "SETTINGS with a value out of range");
  if (connection.peerInitialWindow !== before && !reader.spend(connection.streams.size / STREAMS_PER_TOKEN)) return;
  acknowledgeSettings(connection);
  connection.pumpSoon();
}

/** A PING, or the answer to ours (§6.7). */
export function onPing(
  reader: Http2Reader,
  buffer: Uint8Array,
  at: number,
  length: number,
  flags: number,
  id: number,
): void {
  const { connection } = reader;
  if (id !== 0) return connection.fail(code.PROTOCOL_ERROR, "PING on a stream");
  if (length !== 8) return connection.fail(code.FRAME_SIZE_ERROR, "PING is not 8 bytes");
  if ((flags & frame.ACK) !== 0) return reader.spend() ? connection.pingAnswered(read32(buffer, at + 4)) : undefined;
  if (reader.spendAnswer()) writePingAck(connection.outbox, buffer, at);
}

/** The peer takes no more streams (§6.8). */
export function onGoAway(
  reader: Http2Reader,
  buffer: Uint8Array,
  at: number,
  length: number,
  id: number,
): void {
  const { connection } = reader;
  if (id !== 0) return connection.fail(code.PROTOCOL_ERROR, "GOAWAY on a stream");
  if (length < 8) return connection.fail(code.FRAME_SIZE_ERROR, "GOAWAY too short");
  if (reader.spend()) connection.goAwayReceived(read31(buffer, at));
}

/** Priorities are not used, but their form is checked (§6.3). */
export function onPriority(reader: Http2Reader, buffer: Uint8Array, at: number, length: number, id: number): void {
  const { connection } = reader;
  if (id === 0) return connection.fail(code.PROTOCOL_ERROR, "PRIORITY on stream 0");
  if (length !== 5) return connection.fail(code.FRAME_SIZE_ERROR, "PRIORITY is not 5 bytes");
  if (!reader.spend()) return;
  if (read31(buffer, at) !== id) return;
  const stream = connection.streams.get(id);
  if (stream !== undefined) reader.streamError(stream, code.PROTOCOL_ERROR, "stream depends on itself");
  else connection.refuse(id, code.PROTOCOL_ERROR);
}
