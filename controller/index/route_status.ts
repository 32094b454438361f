/** What the Gateway API wants to be told about a route, parent by parent: whether it is in force, and what it refers to. */
import type { ParentRef, RouteRule, Service } from "../kube/resources.ts";
import type { ResourceSet } from "../kube/store.ts";
import { resolveBackend } from "./_backend_refs.ts";
import { isMeant } from "./_outbound.ts";
import { areShareFilters } from "./_route_plan.ts";
import type { AnyRoute } from "./_routes.ts";

export type { AnyRoute } from "./_routes.ts";

/** A condition without the time and the generation, which its writer knows. */
export interface RouteCondition {
  readonly type: "Accepted" | "ResolvedRefs" | "PartiallyInvalid";
  readonly status: "True" | "False";
  readonly reason: string;
  readonly message: string;
}

/** Longest message, characters; the API takes more, but nobody reads it. */
const MAX_MESSAGE = 1024;

/** Whether a parent is one that the mesh serves, so that its status is ours to write. */
export function isOurParent({ group, kind }: Pick<ParentRef, "group" | "kind">): boolean {
  return (group === "" && kind === "Service") || (group === "policy.tulle.dev" && kind === "Server");
}

/** The conditions of a route at one of its parents. */
export function routeConditions(route: AnyRoute, parent: ParentRef, set: ResourceSet): RouteCondition[] {
  const namespace = parent.namespace ?? route.meta.namespace;
  const missing = parentProblem(route, parent, namespace, set);
  const refused = route.rules.map((rule, index) => refusal(rule, index, route)).filter((detail) => detail !== "");
  const isRefused = refused.length > 0 && refused.length === route.rules.length;
  const accepted = missing !== ""
    ? condition("Accepted", false, "NoMatchingParent", missing)
    : isRefused
    ? condition("Accepted", false, "UnsupportedValue", refused.join("; "))
    : condition("Accepted", true, "Accepted", "the route is in force");
  const conditions = [accepted, resolvedRefs(route, namespace, set)];
  if (refused.length > 0 && !isRefused) {
    const message = `Dropped Rule: ${refused.join("; ")}`;
    conditions.push(condition("PartiallyInvalid", true, "UnsupportedValue", message));
  }
  return conditions;
}

/**
 * The conditions of a route of which nothing is taken: no rule can be read, or it has a Server as a parent, where a rule that is
 * missing would let its requests past the policies of the route. What was read of it before stays in force, but not over a
 * restart, so this is no "Fall Back" of the API, which must outlive one: the route is not accepted.
 *
 * @param isServer the parent is a Server
 * @param detail what is wrong
 */
export function unreadableConditions(isServer: boolean, detail: string): RouteCondition[] {
  const otherwise = isServer ? "; where nothing was, the Server refuses all requests" : "";
  const message = `no rule of it is taken, and what was in force before stays${otherwise}: ${detail}`;
  return [condition("Accepted", false, "UnsupportedValue", message)];
}

/** Why a parent cannot have the route; "" when it can. */
function parentProblem(route: AnyRoute, parent: ParentRef, namespace: string, set: ResourceSet): string {
  const name = `${parent.kind} ${namespace}/${parent.name}`;
  if (parent.kind === "Server") {
    if (route.kind === "TCPRoute" || route.kind === "TLSRoute") return `${name} has HTTPRoutes and GRPCRoutes alone`;
    if (namespace !== route.meta.namespace) return `${name} is in another namespace than the route`;
    return set.get("Server", namespace, parent.name) === null ? `${name} does not exist` : "";
  }
  const service = set.get("Service", namespace, parent.name);
  if (service === null) return `${name} does not exist`;
  if (service.externalName !== null || service.headless) {
    return `${name} has no address of its own, by which requests for it could be told`;
  }
  if (service.ports.some((port) => port.protocol === "TCP" && isMeant(parent, port))) return "";
  return `${name} has no such TCP port, want ${portsOf(service)}`;
}

function portsOf({ ports }: Service): string {
  return ports.filter(({ protocol }) => protocol === "TCP")
    .map(({ port, name }) => (name === "" ? String(port) : `${port} (${name})`)).join(", ");
}

/** Why a rule is not carried out, and what becomes of its requests; "" for a good one. */
function refusal(rule: RouteRule<unknown>, index: number, { rules }: AnyRoute): string {
  const name = `rule ${rule.name === null ? "" : `${JSON.stringify(rule.name)} `}(${index + 1} of ${rules.length})`;
  if (rule.dropped !== undefined) return `${name}, requests go by the others: ${rule.dropped}`;
  for (const filter of rule.filters) {
    if (filter.kind === "unsupported") return `${name}, ${ANSWERED}: the filter ${filter.type} is not supported`;
  }
  const foreign = rule.backendRefs.find((ref) => !areShareFilters(ref.filters));
  return foreign === undefined
    ? ""
    : `${name}, ${ANSWERED}: a filter of the backend ${foreign.name} is not supported there`;
}

/** The Gateway API has it so: what a filter was to do must not be passed over. */
const ANSWERED = "requests are answered with 500";

function resolvedRefs(route: AnyRoute, parentNamespace: string, set: ResourceSet): RouteCondition {
  const details = new Set<string>();
  let reason = "";
  for (const rule of route.rules) {
    const mirrors = [...rule.filters, ...rule.backendRefs.flatMap(({ filters }) => filters)]
      .flatMap((filter) => (filter.kind === "mirror" ? [filter.backend] : []));
    for (const ref of [...rule.backendRefs, ...mirrors]) {
      const found = resolveBackend(ref, route, parentNamespace, set);
      if (found.ok) continue;
      if (reason === "") reason = found.reason;
      details.add(found.detail);
    }
  }
  return reason === ""
    ? condition("ResolvedRefs", true, "ResolvedRefs", "all references lead somewhere")
    : condition("ResolvedRefs", false, reason, [...details].join("; "));
}

function condition(type: RouteCondition["type"], holds: boolean, reason: string, message: string): RouteCondition {
  return { type, status: holds ? "True" : "False", reason, message: message.slice(0, MAX_MESSAGE) };
}
