/** Where a connection goes that is not HTTP. */
import type { Backend, OutboundTarget } from "../../model/outbound.ts";
import { noBackendReason, pickBackend, streamRule } from "../route/pick.ts";
import { type Failure, unsent } from "../upstream/failure.ts";

/**
 * The backend of one connection, or why there is none: the same words and codes as for a request.
 *
 * @param name that TLS asks for, lower case; "" for none
 * @param random in [0, 1)
 */
export function streamBackend(target: OutboundTarget, name: string, random: number): Backend | Failure {
  const rule = streamRule(target, name);
  if (rule === null) {
    return target.streamRoutes.length > 0
      ? unsent("no_route", `no route of ${target.authority} is for the name "${name}"`)
      : unsent("no_endpoints", `${target.authority} has no ready endpoint`);
  }
  return pickBackend(rule, random)?.backend ?? unsent("invalid_backend", noBackendReason(rule));
}

/** Tells the two outcomes of `streamBackend` apart. */
export function isFailure(found: Backend | Failure): found is Failure {
  return "code" in found;
}
