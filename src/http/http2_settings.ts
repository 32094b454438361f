/** SETTINGS, ours and those of the peer as applied to a connection (RFC 9113 §6.5.2, RFC 8441 §3). */
import type { ByteSink } from "../base/byte_sink.ts";
import * as code from "../wire/http2/error_code.ts";
import * as frame from "../wire/http2/frame_type.ts";
import { DEFAULT_WINDOW_BYTES, MAX_WINDOW_BYTES, rebase } from "../wire/http2/flow_control.ts";
import { PREFACE } from "../wire/http2/preface.ts";
import { checkSetting } from "../wire/http2/settings.ts";
import type { Http2Connection } from "./http2_connection.ts";
import { writeSettingsAck } from "./http2_frames.ts";
import {
  CONNECTION_WINDOW_BYTES,
  FIRST_STREAM_WINDOW_BYTES,
  HPACK_TABLE_BYTES,
  MAX_FRAME_BYTES,
  MAX_HEADER_LIST_BYTES,
  MAX_MESH_FRAME_BYTES,
  MAX_MESH_STREAMS,
  MAX_STREAMS,
} from "./limits.ts";

/** Appends what a connection begins with: the client's preface, our SETTINGS, and the connection's window. */
export function putPreface(sink: ByteSink, isServer: boolean, mesh: boolean): void {
  if (!isServer) sink.append(PREFACE, 0, PREFACE.length);
  frame.putSettings(sink, [
    [frame.SETTINGS_HEADER_TABLE_SIZE, HPACK_TABLE_BYTES],
    [frame.SETTINGS_ENABLE_PUSH, isServer ? -1 : 0],
    [frame.SETTINGS_MAX_CONCURRENT_STREAMS, isServer ? (mesh ? MAX_MESH_STREAMS : MAX_STREAMS) : -1],
    [frame.SETTINGS_INITIAL_WINDOW_SIZE, FIRST_STREAM_WINDOW_BYTES],
    [frame.SETTINGS_MAX_FRAME_SIZE, mesh ? MAX_MESH_FRAME_BYTES : MAX_FRAME_BYTES],
    [frame.SETTINGS_MAX_HEADER_LIST_SIZE, MAX_HEADER_LIST_BYTES],
    [frame.SETTINGS_ENABLE_CONNECT_PROTOCOL, isServer ? 1 : -1],
  ]);
  frame.putFrameHeader(sink, 4, frame.WINDOW_UPDATE, 0, 0);
  sink.put4(CONNECTION_WINDOW_BYTES - DEFAULT_WINDOW_BYTES);
}

/**
 * Applies the payload of a SETTINGS frame, a multiple of 6 bytes.
 *
 * @returns NO_ERROR, or the connection error that the RFC asks for
 */
export function applySettings(
  connection: Http2Connection,
  buffer: Uint8Array,
  start: number,
  end: number,
): number {
  const view = new DataView(buffer.buffer, buffer.byteOffset + start, end - start);
  let window = connection.peerInitialWindow;
  for (let at = 0; at < end - start; at += 6) {
    const id = view.getUint16(at);
    const value = view.getUint32(at + 2);
    const error = checkSetting(id, value, !connection.isServer);
    if (error !== code.NO_ERROR) return error;
    switch (id) {
      case frame.SETTINGS_HEADER_TABLE_SIZE:
        connection.encoder.setMaxTableSize(value); // each: the smallest has to be announced;
        break;
      case frame.SETTINGS_MAX_CONCURRENT_STREAMS:
        connection.peerMaxStreams = value;
        break;
      case frame.SETTINGS_INITIAL_WINDOW_SIZE:
        window = value; // the last one counts: each would cost a walk over all streams
        break;
      case frame.SETTINGS_MAX_FRAME_SIZE:
        connection.peerMaxFrame = value;
        break;
      case frame.SETTINGS_ENABLE_CONNECT_PROTOCOL:
        connection.peerConnectProtocol = value === 1;
        break;
    }
  }
  return window === connection.peerInitialWindow ? code.NO_ERROR : resizeWindows(connection, window);
}

/** Answers SETTINGS, after what they say has been applied. */
export function acknowledgeSettings(connection: Http2Connection): void {
  writeSettingsAck(connection.outbox);
  if (!connection.settingsReceived) {
    connection.settingsReceived = true;
    connection.expectHead(false);
  }
  connection.owner.onReady(connection);
}

function resizeWindows(connection: Http2Connection, window: number): number {
  const before = connection.peerInitialWindow;
  connection.peerInitialWindow = window;
  for (const stream of connection.streams.values()) {
    stream.sendWindow = rebase(stream.sendWindow, before, window);
    if (stream.sendWindow > MAX_WINDOW_BYTES) return code.FLOW_CONTROL_ERROR;
    if (stream.sendWindow > 0 && stream.queued > 0) connection.wait(stream);
  }
  return code.NO_ERROR;
}
