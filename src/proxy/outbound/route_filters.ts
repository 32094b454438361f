/** Carries out what a rule says beside choosing a backend. Most rules say nothing: then each function is a comparison or two. */
import type { OutboundTarget, RouteRule, WeightedBackend } from "../../model/outbound.ts";
import type { RoutePlan } from "../../model/route_plan.ts";
import type { HeaderBlock } from "../../wire/header_block.ts";
import type { Exchange } from "../exchange/exchange.ts";
import { corsEdit, isPreflight, preflightResponse } from "../route/cors.ts";
import { applyEdit } from "../route/edit.ts";
import { hostOf } from "../route/host.ts";
import { redirectResponse } from "../route/redirect.ts";
import { applyRewrite } from "../route/rewrite.ts";

/** The answer that a rule gives without asking a backend; null when there is none. @param plan the rule's */
export function answerOf(
  rule: RouteRule,
  { redirect, cors }: RoutePlan,
  request: HeaderBlock,
  { authority, port }: OutboundTarget,
): HeaderBlock | null {
  if (cors !== null && isPreflight(request)) return preflightResponse(cors, request);
  if (redirect === null) return null;
  // A browser that is sent elsewhere wants leave for that, too.
  return ruleResponse(redirectResponse(redirect, request, { host: hostOf(authority), port }), rule, request);
}

/** The request with the edits of its rule. */
export function ruleRequest(request: HeaderBlock, rule: RouteRule): HeaderBlock {
  const edited = rule.requestHeaders === null ? request : applyEdit(request, rule.requestHeaders);
  return rule.plan === null || rule.plan.rewrite === null ? edited : applyRewrite(edited, rule.plan.rewrite);
}

/** … and then those of the backend that was chosen. */
export function editedRequest(request: HeaderBlock, rule: RouteRule, via: WeightedBackend | null): HeaderBlock {
  let edited = ruleRequest(request, rule);
  if (via === null || via.filters === null) return edited;
  const { requestHeaders, rewrite } = via.filters;
  if (requestHeaders !== null) edited = applyEdit(edited, requestHeaders);
  return rewrite === null ? edited : applyRewrite(edited, rewrite);
}

/** The response with the edits of the backend, then those of the rule. */
export function editedResponse({ request, rule, via }: Exchange, head: HeaderBlock): HeaderBlock {
  let edited = head;
  const own = via === null || via.filters === null ? null : via.filters.responseHeaders;
  if (own !== null) edited = applyEdit(edited, own);
  return rule === null ? edited : ruleResponse(edited, rule, request);
}

function ruleResponse(head: HeaderBlock, { responseHeaders, plan }: RouteRule, request: HeaderBlock): HeaderBlock {
  const edited = responseHeaders === null ? head : applyEdit(head, responseHeaders);
  return plan === null || plan.cors === null ? edited : applyEdit(edited, corsEdit(plan.cors, request));
}
