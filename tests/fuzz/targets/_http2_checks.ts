/** What must hold of an HTTP/2 connection after any frames. */
import type { Http2Connection } from "../../../src/http/http2_connection.ts";
import type { FakeSocket } from "../../support/fake_socket.ts";
import { FrameType, parseFrames } from "../../support/h2_frames.ts";
import type { Recorder } from "../../support/legs.ts";
import { holds } from "../target.ts";

/** What a peer may make us send: some frames for each of its own, and the beginning of the connection. */
const ANSWER_FACTOR = 16;
const FIRST_BYTES = 4_096;
const MAX_WINDOW = 0x7fffffff;

/** @param input bytes that the peer has sent */
export function checkFrames(out: Buffer, input: number, socket: FakeSocket): void {
  const { frames, rest } = parseFrames(out);
  holds(rest.length === 0, "half a frame is sent");
  holds(out.length <= FIRST_BYTES + ANSWER_FACTOR * input, `${out.length} bytes are sent for ${input}`);
  const errors = frames.filter(({ type, payload }) => type === FrameType.GOAWAY && payload.readUInt32BE(4) !== 0);
  holds(errors.length <= 1, `${errors.length} errors of the connection`);
  if (errors.length === 1) holds(socket.closed || socket.shut, "the connection lives on after its error");
  const ended = new Set<number>();
  for (const { type, flags, streamId } of frames) {
    if (type === FrameType.HEADERS || type === FrameType.DATA) {
      holds(!ended.has(streamId), `stream ${streamId} goes on after its end`);
    }
    if ((type === FrameType.HEADERS || type === FrameType.DATA) && (flags & 1) !== 0) ended.add(streamId);
    if (type === FrameType.RST_STREAM) ended.add(streamId);
  }
}

export function checkWindows(connection: Http2Connection): void {
  if (connection.closed) return; // it may have been the window
  holds(connection.sendWindow <= MAX_WINDOW, `the connection may send ${connection.sendWindow}`);
  holds(connection.recvCredit >= 0, `credit of ${connection.recvCredit}`);
  for (const stream of connection.streams.values()) {
    holds(stream.sendWindow <= MAX_WINDOW, `stream ${stream.id} may send ${stream.sendWindow}`);
    holds(
      stream.recvWindow >= 0 && stream.recvWindow <= MAX_WINDOW,
      `stream ${stream.id} may receive ${stream.recvWindow}`,
    );
    holds(stream.credit >= 0, `stream ${stream.id} has a credit of ${stream.credit}`);
  }
}

export function checkRecorders(recorders: readonly Recorder[]): void {
  for (const { events } of recorders) {
    holds(
      !events.some((event) => event.includes("AFTER") || event.includes("TWICE")),
      `events after the end: ${events.join()}`,
    );
  }
}
