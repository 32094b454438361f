/** Answers that no longer hold, gathered until they are told. */
import type { DirectoryChange } from "../core/directory.ts";
import type { InboundWorkload, OutboundTarget } from "../core/snapshot.ts";
import type { Target } from "../core/target.ts";

export class Touched implements DirectoryChange {
  /** Any answer may be another. */
  isAll = false;
  readonly answers = new Set<OutboundTarget | InboundWorkload>();
  /** Addresses that may be somebody's now, or nobody's. */
  readonly addresses = new Set<string>();

  add({ isAll, answers, addresses }: Touched): void {
    this.isAll ||= isAll;
    for (const answer of answers) this.answers.add(answer);
    for (const address of addresses) this.addresses.add(address);
  }

  touches(answer: OutboundTarget | InboundWorkload, target: Target | null): boolean {
    if (this.isAll || this.answers.has(answer)) return true;
    // What is unknown is made anew for each question, so that a proxy that asks for everything costs no memory here.
    return target?.kind === "address" && this.addresses.has(target.ip);
  }
}
