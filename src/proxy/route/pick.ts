/** Picks one of a rule's backends. */
import type { OutboundTarget, RouteRule, WeightedBackend } from "../../model/outbound.ts";
import { matchesHost } from "./host.ts";

/**
 * Picks a backend by weight.
 *
 * @param rule the rule that matched
 * @param random in [0, 1)
 * @returns the share; null when no weight is left. The Gateway API asks for a 500 then, and for the share of a reference that
 *   does not resolve (`backend` is null)
 */
export function pickBackend(rule: RouteRule, random: number): WeightedBackend | null {
  const list = rule.backends;
  let rest = random * rule.totalWeight;
  for (let i = 0; i < list.length; i++) {
    const share = list[i] as WeightedBackend; // in range
    if (rest < share.weight) return share;
    rest -= share.weight;
  }
  return null;
}

/** Why a request goes nowhere though its target has routes. */
export function noRouteReason({ authority }: OutboundTarget): string {
  return `no route of ${authority} matches this host, method, path, headers and query; tulle explain names the rules`;
}

/** Why a rule has nobody for a request. The controller says it in one way for all causes. */
export function noBackendReason({ ref: { namespace, name } }: RouteRule): string {
  return `route ${namespace}/${name} has no backend for this request: its reference leads nowhere, no backend has a weight, ` +
    "or a filter is not carried out; the status of the route says which";
}

/**
 * The rule for a connection that is not HTTP; null when there is none.
 * @param name that TLS asks for, lower case; "" for none
 */
export function streamRule({ routes, streamRoutes }: OutboundTarget, name: string): RouteRule | null {
  if (streamRoutes.length === 0) return routes[routes.length - 1] ?? null;
  for (const rule of streamRoutes) if (matchesHost(rule.hostnames, name)) return rule;
  return null;
}
