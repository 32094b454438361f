/**
 * How much work a peer may make with frames that carry nothing: rapid reset, PING, SETTINGS and empty-DATA floods
 * (CVE-2023-44487, CVE-2019-9512, -9515, -9518). A token bucket, refilled by the clock it is given.
 */
import { CONTROL_FRAME_BURST, CONTROL_FRAMES_PER_SECOND, MESH_CONTROL_FRAME_FACTOR } from "./limits.ts";

export class ControlBudget {
  readonly #burst: number;
  readonly #perMs: number;
  #tokens: number;
  #lastMs = -1;

  /** @param mesh the peer is a sidecar, which speaks for many clients */
  constructor(mesh: boolean) {
    const factor = mesh ? MESH_CONTROL_FRAME_FACTOR : 1;
    this.#burst = CONTROL_FRAME_BURST * factor;
    this.#perMs = (CONTROL_FRAMES_PER_SECOND * factor) / 1000;
    this.#tokens = this.#burst;
  }

  /** Takes one token; false when the peer has used up its budget. The clock is read only every 64 frames. */
  take(clock: () => number): boolean {
    this.#tokens--;
    if (this.#tokens > 0 && (this.#tokens & 63) !== 0) return true;
    const now = clock();
    if (this.#lastMs >= 0) {
      this.#tokens = Math.min(this.#burst, this.#tokens + Math.floor((now - this.#lastMs) * this.#perMs));
    }
    this.#lastMs = now;
    return this.#tokens > 0;
  }
}
