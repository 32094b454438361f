/** Lines of a log about something that may happen with every request. */

/** Least time between two lines about the same, milliseconds: the first comes at once, the next says how many there were. */
export const SAY_EVERY_MS = 10_000;

/** One thing to be said now and then. */
export class Occasional {
  #saidMs = -Infinity;
  #since = 0;

  /** It has happened. @returns how often since the last line if one is due, else 0 */
  happened(nowMs: number): number {
    this.#since++;
    if (nowMs - this.#saidMs < SAY_EVERY_MS) return 0;
    const times = this.#since;
    this.#saidMs = nowMs;
    this.#since = 0;
    return times;
  }
}
