/** SETTINGS of the peer, applied to a connection (RFC 9113 §6.5.2, RFC 8441 §3). */
import * as code from "../wire/http2/error_code.ts";
import * as frame from "../wire/http2/frame_type.ts";
import { checkSetting } from "../wire/http2/settings.ts";
import type { Http2Connection } from "./http2_connection.ts";
import type { Http2Reader } from "./http2_reader.ts";

const MAX_31_BITS = 0x7fff_ffff;

/**
 * Applies the payload of a SETTINGS frame, a multiple of 6 bytes.
 *
 * @returns NO_ERROR, or the connection error that the RFC asks for
 */
export function applySettings(
  connection: Http2Connection,
  reader: Http2Reader,
  buffer: Uint8Array,
  start: number,
  end: number,
): number {
  const view = new DataView(buffer.buffer, buffer.byteOffset + start, end - start);
  for (let at = 0; at < end - start; at += 6) {
    const id = view.getUint16(at);
    const value = view.getUint32(at + 2);
    const error = checkSetting(id, value, !connection.isServer);
    if (error !== code.NO_ERROR) return error;
    switch (id) {
      case frame.SETTINGS_HEADER_TABLE_SIZE:
        reader.peerTableBytes = value;
        break;
      case frame.SETTINGS_MAX_CONCURRENT_STREAMS:
        connection.peerMaxStreams = value;
        break;
      case frame.SETTINGS_INITIAL_WINDOW_SIZE: {
        const change = value - connection.peerInitialWindow;
        connection.peerInitialWindow = value;
        for (const stream of connection.streams.values()) {
          stream.sendWindow += change;
          if (stream.sendWindow > MAX_31_BITS) return code.FLOW_CONTROL_ERROR;
        }
        break;
      }
      case frame.SETTINGS_MAX_FRAME_SIZE:
        connection.peerMaxFrame = value;
        break;
      case frame.SETTINGS_ENABLE_CONNECT_PROTOCOL:
        connection.peerConnectProtocol = value === 1;
        break;
    }
  }
  return code.NO_ERROR;
}
