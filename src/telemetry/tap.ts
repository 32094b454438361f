/** Live events. While nobody watches, the data path pays one comparison: `hub.isWatched`. */
import type { AccessEntry } from "./access_log.ts";

/** Watchers at a time: each is a person at a terminal. */
export const MAX_WATCHERS = 8;

/** Takes each event. It must not keep the data path waiting: what it cannot take at once it drops and counts itself. */
export type TapWatcher = (entry: AccessEntry) => void;

export class TapHub {
  /** False while there is no one to build an event for. */
  isWatched = false;
  readonly #watchers = new Set<TapWatcher>();

  /** Hands an event to all watchers. */
  publish(entry: AccessEntry): void {
    for (const watcher of this.#watchers) watcher(entry);
  }

  /** Adds a watcher. @returns the way to end it, or null when there are MAX_WATCHERS already */
  subscribe(watcher: TapWatcher): (() => void) | null {
    if (this.#watchers.size >= MAX_WATCHERS) return null;
    this.#watchers.add(watcher);
    this.isWatched = true;
    return () => {
      this.#watchers.delete(watcher);
      this.isWatched = this.#watchers.size > 0;
    };
  }
}
