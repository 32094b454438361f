/** What policy says about a connection or a request. Made when a policy or a client is new, never per request. */
import type { ResourceRef } from "../../model/resource.ts";

/** One decision, with all that metrics, logs and explanations need. */
export interface Verdict {
  readonly kind: "permit" | "deny";
  /** The policy that decided; kind "default" when none did. For a missing route: the Server. */
  readonly policy: ResourceRef;
  /** Whether a policy or default in audit mode would have decided otherwise. */
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
  /** For people: why. */
  readonly reason: string;
}
