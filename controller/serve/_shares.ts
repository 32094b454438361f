/** Who has how many of something of which there is only so much, so that no caller leaves none to others. */
import { mayHold } from "../../src/base/fair_share.ts";

export class Shares {
  readonly #most: number;
  readonly #held = new Map<string, number>();
  #used = 0;

  /** @param most how many there are for all callers together; one alone gets half of them (base/fair_share.ts) */
  constructor(most: number) {
    this.#most = most;
  }

  /** How many are in use. */
  get used(): number {
    return this.#used;
  }

  /** Takes so many more; false, and nothing is taken, when the caller has its share. `leave` gives them back. */
  enter(caller: string, count = 1): boolean {
    const held = (this.#held.get(caller) ?? 0) + count;
    if (!mayHold(held, this.#used + count, this.#most)) return false;
    this.#held.set(caller, held);
    this.#used += count;
    return true;
  }

  leave(caller: string, count = 1): void {
    const left = (this.#held.get(caller) ?? 0) - count;
    if (left > 0) this.#held.set(caller, left);
    else this.#held.delete(caller);
    this.#used -= count;
  }
}
