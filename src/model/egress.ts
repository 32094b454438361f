/** What may leave to an address outside of the mesh. */
import type { ResourceRef } from "./resource.ts";

/** An EgressNetwork whose networks hold the address. */
export interface EgressRule {
  readonly network: ResourceRef;
  readonly allow: boolean;
  /** Names it is limited to, lower case; none: any, and none at all. "*.example.org" is any name below it. */
  readonly hosts: readonly string[];
}

export interface Egress {
  /** What holds when no rule applies. */
  readonly allow: boolean;
  /** Names that default. */
  readonly fallback: ResourceRef;
  readonly rules: readonly EgressRule[];
}
