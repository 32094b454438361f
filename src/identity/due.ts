/**
 * Waits until something is due by either of two clocks: the monotonic one, which nobody can set, and the wall clock, by
 * which certificates expire. So a machine whose clock is set, forwards or back, renews neither late nor never.
 */

/** How often the clocks are compared with what is due. */
const LOOK_MS = 10_000;

export interface Clocks {
  /** Wall clock, milliseconds since the epoch. */
  readonly now: () => number;
  /** Monotonic milliseconds. */
  readonly monotonic: () => number;
}

export class Due {
  readonly #clocks: Clocks;
  readonly #onDue: () => void;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #wallMs = 0;
  #monotonicMs = 0;

  constructor(clocks: Clocks, onDue: () => void) {
    this.#clocks = clocks;
    this.#onDue = onDue;
  }

  /** Something is waited for. */
  get isWaiting(): boolean {
    return this.#timer !== null;
  }

  /** Due in this time, instead of what was before. */
  in(delayMs: number): void {
    this.stop();
    this.#wallMs = this.#clocks.now() + delayMs;
    this.#monotonicMs = this.#clocks.monotonic() + delayMs;
    this.#look();
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #look(): void {
    const leftMs = Math.min(this.#wallMs - this.#clocks.now(), this.#monotonicMs - this.#clocks.monotonic());
    this.#timer = setTimeout(() => {
      this.#timer = null;
      if (leftMs <= LOOK_MS) this.#onDue();
      else this.#look();
    }, Math.min(LOOK_MS, Math.max(0, leftMs)));
  }
}
