/** Work that is done for a few callers at a time, in turn: who asks for a thousand things waits for itself, and nobody else for it. */

type Begin = () => void;

export class Turns {
  readonly #atOnce: number;
  /** What each caller waits with; callers in the order of their next turn. */
  readonly #callers = new Map<string, Begin[]>();
  #running = 0;

  /** @param atOnce how much work is under way at a time */
  constructor(atOnce: number) {
    this.#atOnce = atOnce;
  }

  /** Does the work when it is the caller's turn. How much may wait is for who asks to bound. */
  async run<T>(caller: string, work: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#atOnce) await this.#wait(caller); // with the place of one that has ended
    else this.#running++;
    try {
      return await work();
    } finally {
      this.#next();
    }
  }

  #wait(caller: string): Promise<void> {
    return new Promise((begin) => {
      const own = this.#callers.get(caller);
      if (own === undefined) this.#callers.set(caller, [begin]);
      else own.push(begin);
    });
  }

  #next(): void {
    const [first] = this.#callers;
    if (first === undefined) {
      this.#running--;
      return;
    }
    const [caller, own] = first;
    this.#callers.delete(caller);
    const begin = own.shift();
    if (own.length > 0) this.#callers.set(caller, own); // behind all others
    begin?.();
  }
}
