/**
 * What is remembered for a while: each text for the same time, the oldest gone first where there are too many.
 *
 *     const seen = new ExpiringSet(60_000, 1000);
 *     seen.add("192.0.2.1:25", nowMs);
 *     seen.has("192.0.2.1:25", nowMs + 59_999); // true
 */
export class ExpiringSet {
  readonly #lifeMs: number;
  readonly #most: number;
  /** Text → when it ends. All live equally long, so the order of insertion is the order of ends. */
  readonly #ends = new Map<string, number>();

  /**
   * @param lifeMs how long a text is remembered after it was added last, milliseconds
   * @param most how many are remembered at a time
   */
  constructor(lifeMs: number, most: number) {
    this.#lifeMs = lifeMs;
    this.#most = most;
  }

  /** How many are kept; ended ones go with the next that is added. */
  get size(): number {
    return this.#ends.size;
  }

  /** @param nowMs monotonic */
  add(text: string, nowMs: number): void {
    this.#ends.delete(text);
    this.#ends.set(text, nowMs + this.#lifeMs);
    for (const [oldest, endMs] of this.#ends) {
      if (endMs > nowMs && this.#ends.size <= this.#most) break;
      this.#ends.delete(oldest);
    }
  }

  has(text: string, nowMs: number): boolean {
    return (this.#ends.get(text) ?? -Infinity) > nowMs;
  }
}
