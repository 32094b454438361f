/** Body bytes that wait in streams of all connections of this thread: the budget that bounds memory in the end. */
import { partOf } from "../net/threads.ts";
import { QUEUED_BYTES_BUDGET } from "./limits.ts";

/** A connection whose peer was given no new credit because the budget was used up. */
export interface Starved {
  /** There is room again. */
  onQueueRoom(): void;
}

class QueuedBytes {
  /** Bytes waiting now. */
  total = 0;
  readonly #starved = new Set<Starved>();

  /** Adds (or, below 0, takes away) bytes. */
  add(bytes: number): void {
    this.total += bytes;
    if (this.#starved.size > 0 && this.hasRoom) this.#feed();
  }

  /** True while connections may be given new credit. */
  get hasRoom(): boolean {
    return this.total < partOf(QUEUED_BYTES_BUDGET);
  }

  /** The connection waits for room: its peer may be unable to send anything that would make it ask again. */
  starve(connection: Starved): void {
    this.#starved.add(connection);
  }

  /** The connection is gone. */
  forget(connection: Starved): void {
    this.#starved.delete(connection);
  }

  #feed(): void {
    const all = [...this.#starved];
    this.#starved.clear();
    for (const connection of all) connection.onQueueRoom();
  }
}

/** The budget of this thread. */
export const queuedBytes = new QueuedBytes();
