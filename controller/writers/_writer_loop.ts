/** The loop of a level-based writer: one round at a time, again when something changed meanwhile, later when a round failed. */

/** Wait before what failed is tried again, milliseconds. */
const RETRY_MS = 2000;

export interface Rounds {
  /** Rounds are due only while this holds. */
  readonly isWriter: () => boolean;
  /** Writes what differs. Does not throw. @returns false when something is to be tried again */
  readonly round: () => Promise<boolean>;
}

export class WriterLoop {
  readonly #rounds: Rounds;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #running = false;
  #again = false;
  #closed = false;

  constructor(rounds: Rounds) {
    this.#rounds = rounds;
  }

  /** Something changed. */
  look(): void {
    this.#again = true;
    if (!this.#running) void this.#run();
  }

  close(): void {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  async #run(): Promise<void> {
    this.#running = true;
    let done = true;
    while (this.#again && !this.#closed && this.#rounds.isWriter()) {
      this.#again = false;
      done = await this.#rounds.round();
    }
    this.#running = false;
    if (done || this.#closed) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.look();
    }, RETRY_MS);
  }
}
