/**
 * PINGs to a silent peer: a connection whose peer is gone without a word, or is stuck, is noticed, and its streams can go
 * elsewhere. One timer for the life of the connection, which only looks: requests do not touch it.
 */
import { Timer, type TimerOwner } from "../base/timer_wheel.ts";
import { arm, disarm } from "../net/ticker.ts";
import { writePing } from "./http2_frames.ts";
import type { Http2Connection } from "./http2_connection.ts";

/** How often the connection is looked at. */
export const LOOK_MS = 2_000;
/** Looks without a byte from the peer before it is asked, when nobody waits for it. */
const IDLE_LOOKS = 5;
/** Looks that it has for an answer: shorter stalls of a busy machine must not end what runs. */
export const ANSWER_LOOKS = 3;

/**
 * A peer that is gone is noticed after at most ANSWER_LOOKS + 2 looks (10 s) while streams are open: one look that still
 * sees its last bytes, one that finds it silent, and those that wait for the answer.
 */
export class Http2KeepAlive implements TimerOwner {
  /** Bytes have arrived since the last look. */
  heard = false;
  readonly #connection: Http2Connection;
  readonly #timer = new Timer(this, 0);
  #silentLooks = 0;
  /** Looks since the PING; -1 while none is open. */
  #asked = -1;

  constructor(connection: Http2Connection) {
    this.#connection = connection;
  }

  start(): void {
    arm(this.#timer, LOOK_MS);
  }

  stop(): void {
    disarm(this.#timer);
  }

  onTimer(_kind: number): void {
    const connection = this.#connection;
    if (this.heard) {
      this.heard = false;
      this.#silentLooks = 0;
      this.#asked = -1;
    } else if (this.#asked >= 0) {
      if (++this.#asked >= ANSWER_LOOKS) return connection.dead("no answer to PING");
    } else if (++this.#silentLooks >= IDLE_LOOKS || connection.streams.size > 0) {
      writePing(connection.outbox, 0);
      this.#asked = 0;
    }
    arm(this.#timer, LOOK_MS);
  }
}
