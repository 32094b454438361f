/** Body bytes that wait in streams of all connections of the process: the budget that bounds memory in the end. */
import { QUEUED_BYTES_BUDGET } from "./limits.ts";

class QueuedBytes {
  /** Bytes waiting now. */
  total = 0;

  /** Adds (or, below 0, takes away) bytes. */
  add(bytes: number): void {
    this.total += bytes;
  }

  /** True while connections may be given new credit. */
  get hasRoom(): boolean {
    return this.total < QUEUED_BYTES_BUDGET;
  }
}

/** The budget of the process. */
export const queuedBytes = new QueuedBytes();
