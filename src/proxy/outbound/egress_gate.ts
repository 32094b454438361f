/** Decides what may leave the mesh, with what the workload's nameserver has said of the address where names are pinned. */
import type { Egress } from "../../model/egress.ts";
import { decideEgress, type EgressVerdict } from "../policy/egress.ts";
import type { Pins } from "../resolve/pins.ts";
import { type Failure, unsent } from "../upstream/failure.ts";
import type { TargetEntry } from "./outbound_targets.ts";

export class EgressGate {
  readonly #pins: Pins | null;
  readonly #clock: () => number;

  /** @param pins null: names are taken as they are said @param clock of the pins */
  constructor(pins: Pins | null, clock: () => number) {
    this.#pins = pins;
    this.#clock = clock;
  }

  /**
   * @param host what the client says, "" for nothing
   * @param held the name that this connection's address was pinned for before, "" for none: a connection outlives the
   * TTL of the name that it was made for, and so does what it may do
   */
  decide(entry: TargetEntry, egress: Egress, host: string, held: string): EgressVerdict {
    return decideEgress(egress, host === "" ? null : host, host === held || this.#isResolved(entry, host));
  }

  /** What the connection holds once something was let through under the name. */
  held(entry: TargetEntry, host: string, held: string): string {
    return host === held || this.#isResolved(entry, host) ? host : held;
  }

  #isResolved(entry: TargetEntry, host: string): boolean {
    return this.#pins === null || host === "" || this.#pins.has(host, entry.ip, this.#clock());
  }
}

/** What a client is told that may not leave the mesh. @param verdict one that does not permit */
export function egressFailure({ cause, reason }: EgressVerdict): Failure {
  return unsent(cause === "not_resolved" ? "not_resolved" : "egress_denied", reason);
}
