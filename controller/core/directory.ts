/** What the serving side asks of the indexing side; neither knows the other. */
import type { InboundWorkload, OutboundTarget } from "./snapshot.ts";
import type { Target } from "./target.ts";

/** The world at one moment. Equal questions to the same directory give the same object. */
export interface Directory {
  /**
   * What a client must know about a target; `known` is false for what the mesh does not have.
   * @param sourceName of the client's workload; "" when it does not matter on which node it is
   */
  outbound(target: Target, sourceNamespace: string, sourceName: string): OutboundTarget;
  /** Who may reach a workload, or null when there is no such workload. */
  inbound(namespace: string, name: string): InboundWorkload | null;
}

/** What a newer directory may say differently. */
export interface DirectoryChange {
  /** Anything. */
  readonly isAll: boolean;
  /** Answers that are not in force any more. */
  readonly answers: ReadonlySet<OutboundTarget | InboundWorkload>;
  /** Addresses that were unknown and may be known. */
  readonly addresses: ReadonlySet<string>;
}

/** The newest directory, and word when there is a newer one. */
export interface DirectorySource {
  readonly current: Directory;
  /** @returns how to stop listening */
  onChange(listener: (change: DirectoryChange) => void): () => void;
}
