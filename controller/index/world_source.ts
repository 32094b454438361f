/** Keeps the newest world: a change of objects or addresses makes another. */
import type { DirectoryChange, DirectorySource } from "../core/directory.ts";
import { type Addresses, NO_ADDRESSES } from "../kube/addresses.ts";
import type { Change, ResourceStore } from "../kube/store.ts";
import { Touched } from "./_touched.ts";
import { type IndexOptions, World } from "./world.ts";

export class WorldSource implements DirectorySource {
  readonly #store: ResourceStore;
  readonly #options: IndexOptions;
  readonly #listeners = new Set<(change: DirectoryChange) => void>();
  #addresses: Addresses = NO_ADDRESSES;
  #world: World | null = null;
  /** The world before the changes that are gathered, null when nothing of it holds any more. */
  #before: World | null = null;
  #changes = new Map<string, Change>();
  /** What the listeners have not been told of yet. */
  #touched = new Touched();
  #scheduled = false;

  constructor(store: ResourceStore, options: IndexOptions) {
    this.#store = store;
    this.#options = options;
    store.onChange((changed) => {
      for (const [key, { before, after }] of changed) {
        const known = this.#changes.get(key);
        this.#changes.set(key, known === undefined ? { before, after } : { before: known.before, after });
      }
      this.#changed();
    });
  }

  /** Built when it is first asked for after a change. */
  get current(): World {
    if (this.#world !== null) return this.#world;
    const carry = this.#before === null ? null : { world: this.#before, changed: this.#changes };
    this.#world = new World(this.#store, this.#addresses, this.#options, carry);
    this.#before = null;
    this.#changes = new Map();
    this.#touched.add(this.#world.touched);
    return this.#world;
  }

  setAddresses(addresses: Addresses): void {
    this.#addresses = addresses;
    this.#changed();
    this.#before = null;
  }

  onChange(listener: (change: DirectoryChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Several changes in one turn are one for the listeners. */
  #changed(): void {
    this.#before ??= this.#world;
    this.#world = null;
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => this.#tell());
  }

  #tell(): void {
    this.#scheduled = false;
    if (this.#listeners.size > 0) void this.current;
    const touched = this.#touched;
    this.#touched = new Touched();
    for (const listener of this.#listeners) listener(touched);
  }
}
