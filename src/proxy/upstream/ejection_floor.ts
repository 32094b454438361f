/** No more endpoints of a backend are out at a time than its policy names: the others would break under their load. */

/** An endpoint as far as the floor looks at it. */
export interface Ejectable {
  readonly isOpen: boolean;
  /** Lets it in again, whatever it did. */
  readmit(): void;
}

export class EjectionFloor {
  /** Told when an endpoint stays in although it should have been taken out. */
  readonly #onKept: () => void;
  #members: readonly Ejectable[] = [];
  #maxPercent = 100;

  constructor(onKept: () => void) {
    this.#onKept = onKept;
  }

  /** New endpoints, or a new share: where too many are out now, some come back. */
  use(members: readonly Ejectable[], maxPercent: number): void {
    this.#members = members;
    this.#maxPercent = maxPercent;
    let over = this.#out() - this.#most();
    for (const member of members) {
      if (over <= 0) break;
      if (!member.isOpen) continue;
      member.readmit();
      over--;
    }
  }

  /** Asks whether one more may be taken out. */
  mayEject(): boolean {
    if (this.#out() < this.#most()) return true;
    this.#onKept();
    return false;
  }

  #most(): number {
    return Math.floor((this.#members.length * this.#maxPercent) / 100);
  }

  #out(): number {
    let out = 0;
    for (const member of this.#members) if (member.isOpen) out++;
    return out;
  }
}
