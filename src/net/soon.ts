/**
 * Short delays of one length for many objects, with one timer: the wheel's tick is too coarse for them, and a timer of
 * their own for each connection would cost more than what they wait for.
 */

/** What is called when the delay is over; an object that has lost interest ignores it. */
export interface SoonOwner {
  onSoon(): void;
}

export class Soon {
  readonly #delayMs: number;
  #waiting: SoonOwner[] = [];
  #due: SoonOwner[] = [];
  #timer: ReturnType<typeof setTimeout> | null = null;
  readonly #fire = () => this.#run();

  /** @param delayMs shortest delay; the longest is twice that */
  constructor(delayMs: number) {
    this.#delayMs = delayMs;
  }

  /** Calls the owner once, after one to two delays. */
  add(owner: SoonOwner): void {
    this.#waiting.push(owner);
    this.#timer ??= setTimeout(this.#fire, this.#delayMs);
  }

  #run(): void {
    const due = this.#due;
    this.#due = this.#waiting;
    this.#waiting = [];
    this.#timer = this.#due.length > 0 ? setTimeout(this.#fire, this.#delayMs) : null;
    for (const owner of due) owner.onSoon();
  }
}
