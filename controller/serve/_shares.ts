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

  /** Takes one more; false, and nothing is taken, when the caller has its share. `leave` gives it back. */
  enter(caller: string): boolean {
    const held = (this.#held.get(caller) ?? 0) + 1;
    if (!mayHold(held, this.#used + 1, this.#most)) return false;
    this.#held.set(caller, held);
    this.#used++;
    return true;
  }

  leave(caller: string): void {
    const left = (this.#held.get(caller) ?? 0) - 1;
    if (left > 0) this.#held.set(caller, left);
    else this.#held.delete(caller);
    this.#used--;
  }
}
