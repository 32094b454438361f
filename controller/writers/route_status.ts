/** Conditions of routes. */
import { parentStatuses } from "./_parent_statuses.ts";
import { type StatusOptions, StatusWriter } from "./status_writer.ts";

/** Writes into routes what became of them at each parent (`status.parents`), while it `isWriter`; retries what fails. */
export function routeStatusWriter(options: StatusOptions): StatusWriter {
  return new StatusWriter(options, {
    kinds: ["HTTPRoute", "GRPCRoute", "TCPRoute", "TLSRoute"],
    // Pods and endpoints, which change all the time, are none of them.
    concerned: /^(HTTPRoute|GRPCRoute|TCPRoute|TLSRoute|Service|Server|ReferenceGrant) /,
    judge: (set) => (object, now) => {
      const parents = parentStatuses(object, set, now);
      return parents === null ? null : { parents };
    },
    everyMs: null,
    nextMs: () => null,
  });
}
