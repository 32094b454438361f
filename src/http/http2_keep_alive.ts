/** PINGs to a silent peer: a connection whose peer is gone without a word is noticed, and its streams can go elsewhere. */
import { Timer, type TimerOwner } from "../base/timer_wheel.ts";
import { arm, disarm } from "../net/ticker.ts";
import { writePing } from "./http2_frames.ts";
import type { Http2Connection } from "./http2_connection.ts";

/** Interval of PINGs while the connection is silent; and how long an answer may take. */
export const KEEP_ALIVE_MS = 10_000;
export const KEEP_ALIVE_TIMEOUT_MS = 5_000;

const SILENCE = 0;
const ANSWER = 1;

export class Http2KeepAlive implements TimerOwner {
  /** Bytes have arrived since the last look. */
  heard = false;
  readonly #connection: Http2Connection;
  readonly #silence = new Timer(this, SILENCE);
  readonly #answer = new Timer(this, ANSWER);

  constructor(connection: Http2Connection) {
    this.#connection = connection;
  }

  start(): void {
    arm(this.#silence, KEEP_ALIVE_MS);
  }

  stop(): void {
    disarm(this.#silence);
    disarm(this.#answer);
  }

  onTimer(kind: number): void {
    if (this.heard) {
      this.heard = false;
      return arm(this.#silence, KEEP_ALIVE_MS);
    }
    if (kind === ANSWER) return this.#connection.dead("no answer to PING");
    writePing(this.#connection.outbox, 0);
    arm(this.#answer, KEEP_ALIVE_TIMEOUT_MS);
  }
}
