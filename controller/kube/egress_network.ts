/** EgressNetwork as objects say it. */
import type { Meta, NetworkBlock } from "./resources.ts";

/** Most networks and names of one object. */
export const MAX_EGRESS_ENTRIES = 256;

/** EgressNetwork (policy.tulle.dev/v1alpha1): what workloads of its namespace may reach outside of the mesh, or may not. */
export interface EgressNetwork {
  readonly kind: "EgressNetwork";
  readonly meta: Meta;
  readonly trafficPolicy: "Allow" | "Deny";
  /** Empty: every address outside of the cluster. */
  readonly networks: readonly NetworkBlock[];
  /** Lower case; empty: any name, and none at all. */
  readonly hosts: readonly string[];
}
