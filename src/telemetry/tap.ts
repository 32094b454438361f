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
  readonly #onWatched: (isWatched: boolean) => void;

  /** @param onWatched told when the first watcher comes and when the last one goes */
  constructor(onWatched: (isWatched: boolean) => void = () => {}) {
    this.#onWatched = onWatched;
  }

  /** Hands an event to all watchers. */
  publish(entry: AccessEntry): void {
    for (const watcher of this.#watchers) watcher(entry);
  }

  /** Adds a watcher. @returns the way to end it, or null when there are MAX_WATCHERS already */
  subscribe(watcher: TapWatcher): (() => void) | null {
    if (this.#watchers.size >= MAX_WATCHERS) return null;
    this.#watchers.add(watcher);
    this.#update();
    return () => {
      this.#watchers.delete(watcher);
      this.#update();
    };
  }

  #update(): void {
    const isWatched = this.#watchers.size > 0;
    if (isWatched === this.isWatched) return;
    this.isWatched = isWatched;
    this.#onWatched(isWatched);
  }
}
