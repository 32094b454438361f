/**
 * How much work a peer may make with frames that carry nothing: rapid reset, PING, SETTINGS and empty-DATA floods
 * (CVE-2023-44487, CVE-2019-9512, -9515, -9518). A token bucket, refilled by the clock it is given.
 *
 * WINDOW_UPDATE and PING are what a receiver of data sends (credit, and probes of the bandwidth-delay product): each DATA
 * frame that we send allows some, and only what goes beyond costs tokens.
 */
import {
  CONTROL_FRAME_BURST,
  CONTROL_FRAMES_PER_SECOND,
  MAX_EARNED_ANSWERS,
  MESH_CONTROL_FRAME_FACTOR,
} from "./limits.ts";

/** Answers that a DATA frame allows. Receivers give credit for stream and connection, some of them for each 1 KiB they read. */
const ANSWERS_PER_DATA_FRAME = 32;

export class ControlBudget {
  readonly #burst: number;
  readonly #perMs: number;
  #tokens: number;
  #answers = 0;
  #lastMs = -1;

  /** @param mesh the peer is a sidecar, which speaks for many clients */
  constructor(mesh: boolean) {
    const factor = mesh ? MESH_CONTROL_FRAME_FACTOR : 1;
    this.#burst = CONTROL_FRAME_BURST * factor;
    this.#perMs = (CONTROL_FRAMES_PER_SECOND * factor) / 1000;
    this.#tokens = this.#burst;
  }

  /** A DATA frame was sent. */
  earn(): void {
    if (this.#answers < MAX_EARNED_ANSWERS) this.#answers += ANSWERS_PER_DATA_FRAME;
  }

  /** Takes what a WINDOW_UPDATE or PING costs; false when the peer has used up its budget. */
  takeAnswer(clock: () => number): boolean {
    if (this.#answers === 0) return this.take(clock);
    this.#answers--;
    return true;
  }

  /** Takes tokens; false when the peer has used up its budget. The clock is read only every 64 frames. */
  take(clock: () => number, tokens = 1): boolean {
    this.#tokens -= Math.ceil(tokens);
    if (this.#tokens > 0 && (this.#tokens & 63) !== 0) return true;
    const now = clock();
    if (this.#lastMs >= 0) {
      this.#tokens = Math.min(this.#burst, this.#tokens + Math.floor((now - this.#lastMs) * this.#perMs));
    }
    this.#lastMs = now;
    return this.#tokens > 0;
  }
}
