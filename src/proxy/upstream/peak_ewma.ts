/**
 * Peak EWMA of a latency: rises to a new peak at once, comes down with time. So an endpoint that turns slow is avoided
 * from its first slow answer on, and is trusted again slowly.
 *
 * value(t + d) = value(t)·e^(−d/decay) + rtt·(1 − e^(−d/decay)), or rtt when that is more, or when nothing was measured for
 * longer than `decay`: what was then is no longer known.
 */
export class PeakEwma {
  readonly #decayMs: number;
  readonly #defaultMs: number;
  #value: number;
  #atMs: number;
  #seen = false;

  /**
   * @param defaultMs assumed until something was measured
   * @param decayMs time after which an old peak counts for 1/e
   */
  constructor(defaultMs: number, decayMs: number, nowMs: number) {
    this.#defaultMs = defaultMs;
    this.#decayMs = decayMs;
    this.#value = defaultMs;
    this.#atMs = nowMs;
  }

  /** Takes a measured latency in, milliseconds. */
  observe(rttMs: number, nowMs: number): void {
    const age = nowMs - this.#atMs;
    this.#atMs = nowMs;
    if (!this.#seen || rttMs > this.#value || age >= this.#decayMs) {
      this.#seen = true;
      this.#value = rttMs;
      return;
    }
    const keep = Math.exp(-Math.max(0, age) / this.#decayMs);
    this.#value = this.#value * keep + rttMs * (1 - keep);
  }

  /** Takes in that something has taken this long without coming to an end. */
  atLeast(elapsedMs: number, nowMs: number): void {
    if (elapsedMs > this.value(nowMs)) this.observe(elapsedMs, nowMs);
  }

  /** Forgets what was: the endpoint is another one now (it was down and is back). */
  restart(rttMs: number, nowMs: number): void {
    this.#seen = true;
    this.#value = rttMs;
    this.#atMs = nowMs;
  }

  /** Something was measured, lately enough to be worth more than a new try. */
  isKnown(nowMs: number): boolean {
    return this.#seen && nowMs - this.#atMs < this.#decayMs;
  }

  /** The estimate now, milliseconds: the default until something is measured; forgotten while nothing is. */
  value(nowMs: number): number {
    if (!this.#seen) return this.#defaultMs;
    const age = nowMs - this.#atMs;
    return age <= 0 ? this.#value : this.#value * Math.exp(-age / this.#decayMs);
  }
}
