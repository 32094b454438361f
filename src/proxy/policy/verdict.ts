/** What policy says about a connection or a request. Made when a policy or a client is new, never per request. */
import type { ResourceRef } from "../../model/resource.ts";

/** What a verdict comes from; a closed list, for metrics and programs. */
export type Cause =
  /** An AuthorizationPolicy that is enforced. */
  | "policy"
  /** No such policy holds: the default of the Server or the workload, which may be on trial. */
  | "default"
  /** The port has routes, and the request matches none. */
  | "no_route"
  /** The readings of the path lead to different routes. */
  | "ambiguous_path"
  /** The port has routes, and the bytes are not HTTP. */
  | "unclassified"
  /** A kubelet's probe. */
  | "probe"
  /** Connections only: decided for each request. */
  | "requests";

/** One decision, with all that metrics, logs and explanations need. */
export interface Verdict {
  readonly kind: "permit" | "deny";
  readonly cause: Cause;
  /** The policy that decided; kind "default" when none did. For a missing route: the Server. */
  readonly policy: ResourceRef;
  /**
   * Whether a policy or default in audit mode would have decided otherwise, were it enforced: a permit would have been
   * a deny, or the other way round.
   */
  readonly audit: boolean;
  /** That policy; null without one. */
  readonly auditPolicy: ResourceRef | null;
  /** The Server of the port; kind "default" without one. */
  readonly server: ResourceRef;
  /** The route that matched; null on connections and where no route did. */
  readonly route: ResourceRef | null;
  /**
   * Connections only: the port has routes, so each request must be asked for with `authorizeRequest`, and bytes that
   * are not HTTP must be refused (`PortPolicy.unclassified`).
   */
  readonly needsRequest: boolean;
  /** For people who run the mesh: why. */
  readonly reason: string;
  /** For the client; of a permit nobody is told. */
  readonly told: string;
}
