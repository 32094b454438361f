/**
 * A Map of what comes and goes as long as the process lives, by name. linked_list.ts says what a Map leaves behind that loses
 * and gains entries; this one begins anew now and then, so that no more than RENEW_AFTER entries hang on one that was left.
 */

/** Deletions after which entries move to a new table, beside as many as there are entries: so a move costs each of them little. */
const RENEW_AFTER = 32;

export class ChurningMap<V> {
  #entries = new Map<string, V>();
  #deleted = 0;

  get size(): number {
    return this.#entries.size;
  }

  get(name: string): V | undefined {
    return this.#entries.get(name);
  }

  set(name: string, value: V): void {
    this.#entries.set(name, value);
  }

  delete(name: string): void {
    if (!this.#entries.delete(name) || ++this.#deleted < RENEW_AFTER + this.#entries.size) return;
    this.#entries = new Map(this.#entries);
    this.#deleted = 0;
  }
}
