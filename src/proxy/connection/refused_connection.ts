/**
 * A connection that this proxy has no room for. A client of HTTP gets an answer that says which limit was reached: it is
 * kept until its first bytes tell how to answer, for a moment, and few at a time, since each needs what is short.
 */
import { ByteSink } from "../../base/byte_sink.ts";
import { Timer, type TimerOwner } from "../../base/timer_wheel.ts";
import { openSockets } from "../../net/open_sockets.ts";
import { resetConnection } from "../../net/reset.ts";
import type { RawSocket, SocketOwner } from "../../net/socket.ts";
import { arm, disarm } from "../../net/ticker.ts";
import { ENHANCE_YOUR_CALM } from "../../wire/http2/error_code.ts";
import * as frame from "../../wire/http2/frame_type.ts";
import { classify } from "../detect/classify.ts";
import { errorResponse } from "../exchange/respond.ts";
import type { Failure } from "../upstream/failure.ts";

/** Clients of HTTP speak within a round trip; afterwards they have as long again to take the answer. */
export const REFUSED_MS = 1000;

let waiting = 0;

/**
 * Turns a plain connection away.
 *
 * @param mayBeHttp its port may speak HTTP; others are reset
 */
export function refuseConnection(socket: RawSocket, why: Failure, mayBeHttp: boolean): void {
  if (!mayBeHttp) return resetConnection(socket);
  if (waiting < openSockets.mostRefused) return new RefusedConnection(socket, why).start();
  socket.write(http1Answer(why));
  socket.terminate();
}

class RefusedConnection implements SocketOwner, TimerOwner {
  stats = null;
  readonly #socket: RawSocket;
  readonly #why: Failure;
  readonly #timer = new Timer(this, 0);
  #answered = false;

  constructor(socket: RawSocket, why: Failure) {
    this.#socket = socket;
    this.#why = why;
  }

  start(): void {
    waiting++;
    this.#socket.data = this;
    arm(this.#timer, REFUSED_MS);
  }

  onData(buffer: Buffer): void {
    if (this.#answered) return;
    this.#answered = true;
    const kind = classify(buffer, buffer.length);
    if (kind === "opaque") return resetConnection(this.#socket);
    this.#socket.write(kind === "http2" ? http2Answer(this.#why) : http1Answer(this.#why));
    this.#socket.end();
    arm(this.#timer, REFUSED_MS);
  }

  onEnd(): void {
    this.#socket.end();
  }

  onTimer(_kind: number): void {
    resetConnection(this.#socket);
  }

  onClose(_error: Error | null): void {
    waiting--;
    disarm(this.#timer);
  }

  onOpen(_socket: RawSocket): void {}

  onHandshake(_socket: RawSocket, _ok: boolean, _error: Error | null): void {}

  onDrain(): void {}

  onConnectFailed(_error: Error): void {}
}

function http1Answer(why: Failure): Uint8Array {
  const { head, body } = errorResponse(why, false, false);
  let text = `HTTP/1.1 ${head.status} Service Unavailable\r\nconnection: close\r\n`;
  for (let i = 0; i < head.fields.length; i += 2) text += `${head.fields[i]}: ${head.fields[i + 1]}\r\n`;
  return Buffer.concat([Buffer.from(`${text}\r\n`, "latin1"), body]);
}

/** The server's preface, and the end: no stream was looked at, so that all may be sent elsewhere (RFC 9113 §6.8). */
function http2Answer(why: Failure): Uint8Array {
  const detail = Buffer.from(`${why.code}: ${why.detail}`, "latin1");
  const sink = new ByteSink(2 * frame.FRAME_HEADER_BYTES + 8 + detail.length);
  frame.putFrameHeader(sink, 0, frame.SETTINGS, 0, 0);
  frame.putFrameHeader(sink, 8 + detail.length, frame.GOAWAY, 0, 0);
  sink.put4(0);
  sink.put4(ENHANCE_YOUR_CALM);
  for (const byte of detail) sink.put1(byte);
  return sink.buffer.subarray(0, sink.length);
}
