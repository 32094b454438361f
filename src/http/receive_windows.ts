/**
 * How much the streams of one connection may send before it is forwarded.
 *
 * A stream begins with a window that holds most bodies, and gets a larger one when its bytes were forwarded. While much
 * waits in this thread, new ones begin with a small window, and those that are open lose what they have not used of
 * theirs (SETTINGS, RFC 9113 §6.9.2: their windows may fall below 0). So what is slow is slowed down before anything has
 * to be ended.
 */
import type { Http2Connection } from "./http2_connection.ts";
import { writeInitialWindow, writeWindowUpdate } from "./http2_frames.ts";
import type { Http2Stream } from "./http2_stream.ts";
import { FIRST_STREAM_CREDIT_BYTES, FIRST_STREAM_WINDOW_BYTES, STREAM_WINDOW_BYTES } from "./limits.ts";
import { type Pressed, waitingBudget } from "./waiting_budget.ts";

export class ReceiveWindows implements Pressed {
  before: Pressed | null = null;
  after: Pressed | null = null;
  readonly #connection: Http2Connection;
  /** What our latest SETTINGS say, and the latest of them that the peer has acknowledged. */
  #announced = FIRST_STREAM_WINDOW_BYTES;
  #acknowledged = FIRST_STREAM_WINDOW_BYTES;
  /** Our preface is SETTINGS, too. */
  #isPending = true;

  constructor(connection: Http2Connection) {
    this.#connection = connection;
    waitingBudget.windows.add(this);
  }

  /** The connection is gone. */
  close(): void {
    waitingBudget.windows.delete(this);
  }

  /** Window of a stream that begins now. What we open, the peer sees behind our SETTINGS; what it opens, it opened before its ACK. */
  get first(): number {
    if (this.#announced !== waitingBudget.firstWindow) this.#announce();
    return this.#connection.isServer ? this.#acknowledged : this.#announced;
  }

  /** More or less may wait from now on: tells the peer when it has streams to which that matters. */
  onPressure(): void {
    if (this.#connection.streams.size > 0) this.#announce();
  }

  /** The peer has acknowledged SETTINGS. */
  onAcknowledged(): void {
    if (!this.#isPending) return;
    this.#isPending = false;
    const window = this.#announced;
    if (window !== this.#acknowledged) {
      this.#acknowledged = window;
      for (const stream of this.#connection.streams.values()) this.#resize(stream, window);
    }
    this.onPressure();
  }

  /** Returns credit for a stream once enough of its window has been forwarded. */
  credit(stream: Http2Stream): void {
    const isFirst = stream.window === FIRST_STREAM_WINDOW_BYTES;
    if (stream.credit < (isFirst ? FIRST_STREAM_CREDIT_BYTES : stream.window >> 1)) return;
    if (stream.window < STREAM_WINDOW_BYTES && !waitingBudget.isTight) {
      stream.credit += STREAM_WINDOW_BYTES - stream.window;
      stream.window = STREAM_WINDOW_BYTES;
    }
    writeWindowUpdate(this.#connection.outbox, stream.id, stream.credit);
    stream.recvWindow += stream.credit;
    stream.credit = 0;
  }

  /** One change at a time: then an acknowledgement can mean but one. */
  #announce(): void {
    const window = waitingBudget.firstWindow;
    if (this.#isPending || window === this.#announced) return;
    this.#isPending = true;
    this.#announced = window;
    writeInitialWindow(this.#connection.outbox, window);
  }

  #resize(stream: Http2Stream, window: number): void {
    const more = window - stream.firstWindow;
    stream.firstWindow = window;
    stream.recvWindow += more;
    stream.window += more;
    // What was not worth a frame before may be all that keeps a smaller window from opening.
    if (stream.credit > 0 && !stream.recvEnd) this.credit(stream);
  }
}
