/** What of a route may be in force though it has errors. */
import type { Finding } from "./_reader.ts";
import { formatPath } from "./problem.ts";
import type { AnyRoute, Resource } from "./resources.ts";

/**
 * Clients go by the rules that can be read; the others are dropped (Gateway API, condition PartiallyInvalid). Where requests
 * arrive no rule may be missing: what it is for would fall to a wider rule, and past the policies of the route. So of a route
 * with a Server as a parent nothing is read, only that it is there: the Server is then closed.
 *
 * @param read the object, with harmless values where there were errors
 * @param errors all of them
 * @param depth keys from the document's root to the object
 * @returns null when nothing may be: an object of another kind, or a route for clients without a rule that can be read
 */
export function restOfRoute(read: Resource, errors: readonly Finding[], depth: number): AnyRoute | null {
  if (!isRoute(read) || read.meta.name === "") return null;
  const servers = read.parents.filter(({ group, kind }) => group === "policy.tulle.dev" && kind === "Server");
  if (servers.length > 0) {
    const unreadable = errors.map((error) => describe(error, depth)).join("; ");
    return { ...read, parents: servers, hostnames: [], rules: [], unreadable };
  }
  const dropped = new Map<number, string>();
  for (const error of errors) {
    const [spec, list, index] = error.path.slice(depth);
    if (spec !== "spec" || list !== "rules" || typeof index !== "number") return null;
    const before = dropped.get(index);
    dropped.set(index, `${before === undefined ? "" : `${before}; `}${describe(error, depth)}`);
  }
  if (dropped.size >= read.rules.length) return null;
  return { ...read, rules: read.rules.map((rule, index) => without(rule, dropped.get(index))) } as AnyRoute; // of its kind
}

/** Whether an object is a route of the Gateway API. */
export function isRoute(resource: Resource): resource is AnyRoute {
  const { kind } = resource;
  return kind === "HTTPRoute" || kind === "GRPCRoute" || kind === "TCPRoute" || kind === "TLSRoute";
}

/** In its place, so that the numbers of the others stay; nothing of it may be used by mistake. */
function without(rule: AnyRoute["rules"][number], dropped: string | undefined): AnyRoute["rules"][number] {
  return dropped === undefined ? rule : { ...rule, matches: [], filters: [], backendRefs: [], dropped };
}

function describe({ path, detail }: Finding, depth: number): string {
  return `${formatPath(path.slice(depth))}: ${detail}`;
}
