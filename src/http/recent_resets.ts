/**
 * Streams that were reset lately: their frames may still be under way, and are not the peer's fault (RFC 9113 §5.4.2).
 * Thousands can be reset at one moment (a server dies, a client disconnects), so as many are remembered as may be open.
 */
export class RecentResets {
  readonly #most: number;
  #ids: Set<number> | null = null;

  /** @param most ids remembered; the oldest are forgotten first */
  constructor(most: number) {
    this.#most = most;
  }

  add(streamId: number): void {
    const ids = this.#ids ??= new Set();
    ids.add(streamId);
    if (ids.size > this.#most) ids.delete(ids.values().next().value as number); // not empty
  }

  has(streamId: number): boolean {
    return this.#ids !== null && this.#ids.has(streamId);
  }
}
