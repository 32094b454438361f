/** What is remembered of a request once a try of it has failed. Most requests have none. */
import type { Hold } from "../outbound/hold.ts";
import type { EndpointState } from "../upstream/endpoint_state.ts";
import type { Failure } from "../upstream/failure.ts";

export class Attempts {
  /** Endpoints that need not be asked again while there are others. */
  readonly tried: EndpointState[] = [];
  /** Tries on the account of the budget. */
  retries = 0;
  /** Tries that cost nobody anything, since the last pause. */
  free = 0;
  /** Since when the request is held until an endpoint can be reached, monotonic milliseconds; -1: it is not. */
  heldSinceMs = -1;
  /** Where it waits, or waited last. */
  hold: Hold | null = null;
  /** The last failure. */
  failure: Failure;

  constructor(failure: Failure) {
    this.failure = failure;
  }

  /** A pause is over: all endpoints may be asked again. */
  rested(): void {
    this.tried.length = 0;
    this.free = 0;
  }
}
