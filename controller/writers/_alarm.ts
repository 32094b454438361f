/** Calls back when a time by the wall clock has come. */

/**
 * Longest wait, milliseconds. What is due later is set again by a round before then, so that a clock which is set meanwhile
 * makes an alarm late by as much at most.
 */
export const MAX_ALARM_MS = 10_000;

export class Alarm {
  readonly #now: () => number;
  readonly #onDue: () => void;
  #closed = false;
  #timer: ReturnType<typeof setTimeout> | null = null;

  /** @param now milliseconds since 1970 */
  constructor(now: () => number, onDue: () => void) {
    this.#now = now;
    this.#onDue = onDue;
  }

  /** Due then, instead of what was before. @param atMs since 1970; null, or beyond MAX_ALARM_MS: not at all */
  set(atMs: number | null): void {
    this.#clear();
    const waitMs = atMs === null ? Infinity : atMs - this.#now();
    if (waitMs > MAX_ALARM_MS || this.#closed) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#onDue();
    }, Math.max(1, waitMs));
  }

  /** Never again. */
  close(): void {
    this.#closed = true;
    this.#clear();
  }

  #clear(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}
