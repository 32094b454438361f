/** Keeps the newest world: a change of objects or addresses makes another. */
import type { DirectorySource } from "../core/directory.ts";
import { type Addresses, NO_ADDRESSES } from "../kube/addresses.ts";
import type { ResourceStore } from "../kube/store.ts";
import { type IndexOptions, World } from "./world.ts";

export class WorldSource implements DirectorySource {
  readonly #store: ResourceStore;
  readonly #options: IndexOptions;
  readonly #listeners = new Set<() => void>();
  #addresses: Addresses = NO_ADDRESSES;
  #world: World | null = null;
  #scheduled = false;

  constructor(store: ResourceStore, options: IndexOptions) {
    this.#store = store;
    this.#options = options;
    store.onChange(() => this.#changed());
  }

  /** Built when it is first asked for after a change. */
  get current(): World {
    this.#world ??= new World(this.#store, this.#addresses, this.#options);
    return this.#world;
  }

  setAddresses(addresses: Addresses): void {
    this.#addresses = addresses;
    this.#changed();
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Several changes in one turn are one for the listeners. */
  #changed(): void {
    this.#world = null;
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      for (const listener of this.#listeners) listener();
    });
  }
}
