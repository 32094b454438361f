/** Sends requests of a session where it began, and begins sessions (Gateway API SessionPersistence). */
import type { RouteRule, WeightedBackend } from "../../model/outbound.ts";
import type { HeaderBlock } from "../../wire/header_block.ts";
import type { Exchange } from "../exchange/exchange.ts";
import { applyEdit } from "../route/edit.ts";
import { endpointName, tokenEdit, tokenOf } from "../route/session_token.ts";
import type { EndpointState } from "../upstream/endpoint_state.ts";
import type { Upstreams } from "../upstream/upstreams.ts";

/** Where a session leads. */
export interface Kept {
  readonly share: WeightedBackend;
  readonly endpoint: EndpointState;
}

/** Endpoints of rules by their names in tokens; a rule lives as long as its snapshot, whose endpoints it has. */
const known = new WeakMap<RouteRule, ReadonlyMap<string, Kept>>();

/**
 * The endpoint of the session that a request belongs to; null when it belongs to none, or its endpoint is gone or cannot be
 * asked now: then any other is chosen, and a new session begins.
 */
export function keptEndpoint(
  rule: RouteRule,
  { request, context, history }: Exchange,
  upstreams: Upstreams,
): Kept | null {
  const session = rule.plan === null ? null : rule.plan.session;
  if (session === null || history !== null) return null;
  const token = tokenOf(session, request, Date.now());
  const kept = token === null ? undefined : endpointsOf(rule, upstreams).get(token.endpoint);
  return kept !== undefined && kept.endpoint.admits(context.clock()) ? kept : null;
}

/** The response with a token, unless the request came with one for the endpoint that has answered. */
export function withToken({ rule, request, lastEndpoint }: Exchange, head: HeaderBlock): HeaderBlock {
  const session = rule === null || rule.plan === null ? null : rule.plan.session;
  if (rule === null || session === null || lastEndpoint === null) return head;
  const now = Date.now();
  const name = endpointName(lastEndpoint.backendKey, lastEndpoint.endpoint.key);
  return tokenOf(session, request, now)?.endpoint === name
    ? head
    : applyEdit(head, tokenEdit(session, rule, name, now));
}

function endpointsOf(rule: RouteRule, upstreams: Upstreams): ReadonlyMap<string, Kept> {
  let found = known.get(rule);
  if (found === undefined) {
    const byName = new Map<string, Kept>();
    for (const share of rule.backends) {
      if (share.backend === null || share.weight === 0) continue;
      for (const endpoint of upstreams.balancer(share.backend)?.states ?? []) {
        byName.set(endpointName(endpoint.backendKey, endpoint.endpoint.key), { share, endpoint });
      }
    }
    known.set(rule, found = byName);
  }
  return found;
}
