/** Requests under way in this thread, and who may have how many: one client must not leave none for the others. */
import { mayHold } from "../../base/fair_share.ts";
import { partOfMemory } from "../../net/threads.ts";

/**
 * Requests to this workload under way. Each takes 5 KB, and with a small window of body (TIGHT_STREAM_WINDOW_BYTES) all
 * that one client may have fit in its share of the waiting bytes.
 */
export const MAX_INBOUND_REQUESTS = 8192;
/** The same for requests of this workload: fewer than one sidecar may have at another, or its clients would share the refusals. */
export const MAX_OUTBOUND_REQUESTS = 4096;
/** A client may have twice as many as are free: one alone two thirds, since a sidecar brings the clients of a whole pod. */
const WEIGHT = 2;
/** Requests that a client may have whatever others do: many greedy ones would leave no room else. Connections are limited, too. */
const ALWAYS = 8;

/** Requests of one direction under way in this thread. */
export class RequestBudget {
  used = 0;
  readonly most: number;

  /** @param most of the process */
  constructor(most: number) {
    this.most = partOfMemory(most);
  }
}

/** What one client has: a connection of the workload's own programs, or all of a peer's together. */
export class RequestShare {
  readonly #budget: RequestBudget;
  /** Requests under way. */
  held = 0;

  constructor(budget: RequestBudget) {
    this.#budget = budget;
  }

  /** It has few requests under way, and is served before those that have many. */
  get isLight(): boolean {
    return this.held <= ALWAYS;
  }

  /** A request begins; false when it must be refused. */
  begin(): boolean {
    const budget = this.#budget;
    if (this.held >= ALWAYS && !mayHold(this.held + 1, budget.used + 1, budget.most, WEIGHT)) return false;
    this.held++;
    budget.used++;
    return true;
  }

  /** It has ended. */
  end(): void {
    this.held--;
    this.#budget.used--;
  }
}
