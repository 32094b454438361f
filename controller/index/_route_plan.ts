/** Filters of a rule, and of each of its backends, as proxies carry them out. */
import type { HeaderEdit, Mirror, RoutePlan, ShareFilters } from "../core/route_plan.ts";
import type { RouteFilter } from "../kube/resources.ts";
import type { BackendTable } from "./_backend_table.ts";
import type { AnyRoute, RankedRule } from "./_routes.ts";

const DROPPED = "nothing is mirrored there";

/** Filters that may stand at a single backend; the others make it one that answers 500. */
const SHARE_FILTERS: ReadonlySet<RouteFilter["kind"]> = new Set(
  ["request_headers", "response_headers", "rewrite", "mirror"] as const,
);

/** What a rule does beside its header edits; null for nothing. */
export function planOf(rule: RankedRule["rule"], route: AnyRoute, backends: BackendTable): RoutePlan | null {
  const plan = {
    redirect: find(rule.filters, "redirect")?.redirect ?? null,
    rewrite: find(rule.filters, "rewrite")?.rewrite ?? null,
    mirrors: mirrorsOf(rule.filters, route, backends),
    cors: find(rule.filters, "cors")?.cors ?? null,
    session: rule.session,
  };
  const { redirect, rewrite, mirrors, cors, session } = plan;
  const isPlain = redirect === null && rewrite === null && cors === null && session === null && mirrors.length === 0;
  return isPlain ? null : plan;
}

/** Whether a backend can have these filters. */
export function areShareFilters(filters: readonly RouteFilter[]): boolean {
  return filters.every(({ kind }) => SHARE_FILTERS.has(kind));
}

/** Filters of a backend; null for none. */
export function shareFilters(
  filters: readonly RouteFilter[],
  route: AnyRoute,
  backends: BackendTable,
): ShareFilters | null {
  if (filters.length === 0) return null;
  return {
    requestHeaders: editOf(filters, "request_headers"),
    responseHeaders: editOf(filters, "response_headers"),
    rewrite: find(filters, "rewrite")?.rewrite ?? null,
    mirrors: mirrorsOf(filters, route, backends),
  };
}

/** The header edit among filters, or null. */
export function editOf(
  filters: readonly RouteFilter[],
  kind: "request_headers" | "response_headers",
): HeaderEdit | null {
  return find(filters, kind)?.edit ?? null;
}

function mirrorsOf(filters: readonly RouteFilter[], route: AnyRoute, backends: BackendTable): Mirror[] {
  const mirrors: Mirror[] = [];
  for (const filter of filters) {
    if (filter.kind !== "mirror") continue;
    mirrors.push({ backend: backends.indexOf(filter.backend, route, DROPPED), ...filter.fraction });
  }
  return mirrors;
}

function find<K extends RouteFilter["kind"]>(filters: readonly RouteFilter[], kind: K) {
  return filters.find((filter): filter is Extract<RouteFilter, { readonly kind: K }> => filter.kind === kind);
}
