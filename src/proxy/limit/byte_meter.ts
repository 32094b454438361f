/** Bytes that go on at a rate: a token bucket, of which nothing is saved up while no bytes wait. */

export class ByteMeter {
  /** Bytes that wait for their turn. */
  held = 0;
  readonly #perMs: number;
  #sinceMs: number;
  /** Fractions of a byte that were not enough for one. */
  #tokens = 0;

  /** @param nowMs on any clock that `hold` and `take` share */
  constructor(bytesPerSecond: number, nowMs: number) {
    this.#perMs = bytesPerSecond / 1000;
    this.#sinceMs = nowMs;
  }

  hold(bytes: number, nowMs: number): void {
    if (this.held === 0) this.#sinceMs = nowMs;
    this.held += bytes;
  }

  /** Bytes whose turn has come since. */
  take(nowMs: number): number {
    if (this.held === 0) return 0;
    this.#tokens += Math.max(0, nowMs - this.#sinceMs) * this.#perMs;
    this.#sinceMs = nowMs;
    const taken = Math.min(this.held, Math.floor(this.#tokens));
    this.held -= taken;
    this.#tokens = this.held === 0 ? 0 : this.#tokens - taken;
    return taken;
  }
}
