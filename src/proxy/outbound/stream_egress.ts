/** Whether a connection that is not HTTP may leave the mesh, at first and for as long as it lasts; whoever observes is told. */
import type { Egress } from "../../model/egress.ts";
import type { EgressObserver, EgressProtocol } from "../observe/observe.ts";
import { type Failure, failure } from "../upstream/failure.ts";
import { egressFailure, type EgressGate } from "./egress_gate.ts";
import type { TargetEntry } from "./outbound_targets.ts";

export class StreamEgress {
  readonly #gate: EgressGate;
  readonly #observer: EgressObserver;
  readonly #entry: TargetEntry;
  /** What TLS asks for, "" for nothing. */
  readonly #name: string;
  /** The name that its address was pinned for when it was let through. */
  #heldName = "";

  /** @param name what TLS asks for, "" where there is none or nobody has looked */
  constructor(gate: EgressGate, observer: EgressObserver, entry: TargetEntry, name: string) {
    this.#gate = gate;
    this.#observer = observer;
    this.#entry = entry;
    this.#name = name;
  }

  /** Decides before anything is sent. @returns why it may not leave, or null */
  refusal(egress: Egress): Failure | null {
    const verdict = this.#gate.decide(this.#entry, egress, this.#name, this.#heldName);
    if (verdict.permit) this.#heldName = this.#gate.held(this.#entry, this.#name, this.#heldName);
    this.#observer.onEgress(this.#entry, this.#protocol, this.#name, verdict);
    return verdict.permit ? null : egressFailure(verdict);
  }

  /** Decides once more, by rules that have changed. @returns why it may not go on, or null */
  revocation(egress: Egress): Failure | null {
    const verdict = this.#gate.decide(this.#entry, egress, this.#name, this.#heldName);
    if (verdict.permit) return null;
    this.#observer.onEgressRevoked(this.#entry, this.#protocol, this.#name, verdict);
    return failure("revoked", verdict.reason);
  }

  get #protocol(): EgressProtocol {
    return this.#name === "" ? "tcp" : "tls";
  }
}
