/** What is alive in the proxy: being in the set keeps the drain waiting. */

/** Something that can be asked to finish. */
export interface Drainable {
  /** Takes no new work, lets what runs finish, then ends by itself. */
  shutdown(): void;
}

export class Live {
  readonly #all = new Set<Drainable>();
  #onEmpty: (() => void) | null = null;

  /** Connections that are open. */
  get size(): number {
    return this.#all.size;
  }

  add(item: Drainable): void {
    this.#all.add(item);
  }

  delete(item: Drainable): void {
    this.#all.delete(item);
    if (this.#all.size === 0) this.#onEmpty?.();
  }

  /** Asks all to finish; calls back when the last one has. */
  drain(onEmpty: () => void): void {
    this.#onEmpty = onEmpty;
    for (const item of [...this.#all]) item.shutdown();
    if (this.#all.size === 0) onEmpty();
  }
}
