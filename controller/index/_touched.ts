/** Answers that no longer hold, gathered until they are told. */
import type { DirectoryChange } from "../core/directory.ts";
import type { InboundWorkload, OutboundTarget } from "../core/snapshot.ts";

export class Touched implements DirectoryChange {
  /** Any answer may be another. */
  isAll = false;
  readonly answers = new Set<OutboundTarget | InboundWorkload>();
  /**
   * Addresses that may be somebody's now. What is unknown is made anew for each question, so that a proxy that asks for everything
   * costs no memory here.
   */
  readonly addresses = new Set<string>();

  add({ isAll, answers, addresses }: Touched): void {
    this.isAll ||= isAll;
    for (const answer of answers) this.answers.add(answer);
    for (const address of addresses) this.addresses.add(address);
  }
}
