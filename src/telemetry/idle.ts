/** Series of peers that are gone leave the exposition after a while. */

/** How long a series stays without a change, milliseconds. Linkerd's default; a scrape every minute has seen its last value by then. */
export const RETAIN_IDLE_MS = 10 * 60 * 1000;

/** Something that opened series and can give them up. It opens them again by itself when it is used again. */
export interface Droppable {
  /** Whether it holds series now. */
  readonly isOpen: boolean;
  /** A number that changes whenever the series are used; NaN while they must stay. */
  activity(): number;
  /** Closes the series. */
  drop(): void;
}

interface Tracked {
  activity: number;
  changedMs: number;
}

/** Watches what has open series. Costs nothing between sweeps. */
export class IdleTracker {
  readonly #tracked = new Map<Droppable, Tracked>();

  /** Starts to watch; called whenever series were opened. */
  track(item: Droppable): void {
    // The first sweep starts the clock, so that opening needs none.
    this.#tracked.set(item, { activity: NaN, changedMs: 0 });
  }

  /** Drops what has not changed for RETAIN_IDLE_MS. @param nowMs monotonic time, milliseconds */
  sweep(nowMs: number): void {
    for (const [item, tracked] of this.#tracked) {
      const activity = item.activity();
      if (activity !== tracked.activity) {
        tracked.activity = activity;
        tracked.changedMs = nowMs;
      } else if (nowMs - tracked.changedMs >= RETAIN_IDLE_MS) {
        this.#tracked.delete(item);
        item.drop();
      }
    }
  }
}
