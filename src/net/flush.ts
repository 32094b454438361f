/**
 * Outboxes that hold bytes for the socket. They are flushed once per turn of the event loop, after all sockets that were
 * readable have been served: then one write carries what many requests left (measured: that is where the CPU goes).
 */
import { slowHelpers } from "./helper_threads.ts";
import { compileWhenBusy } from "./jit_policy.ts";

/** What can be flushed. */
export interface Flushable {
  flush(): void;
}

class DirtyList {
  /** Turns of the event loop that have ended with a flush. */
  turns = 0;
  #list: Flushable[] = [];
  #spare: Flushable[] = [];
  #scheduled = false;

  /** Adds an outbox to the list of this turn. The caller keeps it from being added twice. */
  add(outbox: Flushable): void {
    this.#list.push(outbox);
    this.schedule();
  }

  /** Sees to it that the turn ends with a flush, also if there is nothing to write. */
  schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(flushAll);
  }

  /** Flushes everything; what becomes dirty meanwhile is flushed in the next turn. */
  run(): void {
    this.#scheduled = false;
    this.turns++;
    const list = this.#list;
    this.#list = this.#spare;
    for (let i = 0; i < list.length; i++) (list[i] as Flushable).flush(); // in range
    list.length = 0;
    this.#spare = list;
  }
}

/** The list of the process: sockets belong to one event loop. */
export const dirtyOutboxes = new DirtyList();

/** Turns between two looks at the clock, power of two: some requests of a lone client, and no cost for a busy proxy. */
const TURNS_PER_LOOK = 16;

function flushAll(): void {
  dirtyOutboxes.run();
  // Here, because all bytes of this turn are on their way.
  if ((dirtyOutboxes.turns & (TURNS_PER_LOOK - 1)) !== 0) return;
  const nowMs = performance.now();
  compileWhenBusy(nowMs);
  slowHelpers(nowMs);
}
