/** The order of decisions: deny, then allow, then the default. */
import type { Authorization, DefaultPolicy } from "../../model/inbound.ts";
import { blockContains, type IpAddress, type IpBlock } from "../../model/ip.ts";
import { defaultResource, resourceKey, type ResourceRef } from "../../model/resource.ts";
import { compileCredential, type Credential } from "./credentials.ts";

/** An authorization ready to be asked. */
export interface Rule {
  readonly policy: ResourceRef;
  readonly key: string;
  readonly deny: boolean;
  readonly audit: boolean;
  /** All must hold. */
  readonly credentials: readonly Credential[];
}

/** Who asks, as the rules see it. */
export interface Caller {
  /** "" when nothing was verified. */
  readonly identity: string;
  readonly ip: IpAddress | null;
}

/** Outcome before it is put in words for a port or route. */
export interface Decision {
  readonly permit: boolean;
  readonly policy: ResourceRef;
  readonly auditPolicy: ResourceRef | null;
  readonly reason: string;
}

/** Compiles authorizations into an order of their own, so that theirs does not show in any result. */
export function compileRules(authorizations: readonly Authorization[]): Rule[] {
  const rules = authorizations.map((authorization): Rule => ({
    policy: authorization.policy,
    key: resourceKey(authorization.policy),
    deny: authorization.action === "deny",
    audit: authorization.mode === "audit",
    credentials: authorization.authentications.map(compileCredential),
  }));
  return rules.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
}

/**
 * Decides for a caller: an enforced deny refuses; else an enforced allow admits; else the default holds. Rules in audit
 * mode change nothing; the first whose effect would have been another is named.
 *
 * @param lists rules of the Server, and of the route when there is one
 * @param clusterNetworks what "inside" means for the cluster-* defaults
 */
export function decide(
  lists: readonly (readonly Rule[])[],
  fallback: DefaultPolicy,
  clusterNetworks: readonly IpBlock[],
  caller: Caller,
): Decision {
  const deny = firstHolding(lists, true, false, caller);
  if (deny !== null) return { permit: false, policy: deny.policy, auditPolicy: null, reason: "denied by policy" };
  const auditDeny = firstHolding(lists, true, true, caller)?.policy ?? null;
  const allow = firstHolding(lists, false, false, caller);
  if (allow !== null) {
    return { permit: true, policy: allow.policy, auditPolicy: auditDeny, reason: "allowed by policy" };
  }
  const policy = defaultResource(fallback);
  if (fallback === "audit") {
    return {
      permit: true,
      policy,
      auditPolicy: auditDeny ?? policy,
      reason: "no policy allows it; the default only audits",
    };
  }
  const refusal = defaultRefusal(fallback, clusterNetworks, caller);
  if (refusal === null) {
    return { permit: true, policy, auditPolicy: auditDeny, reason: `allowed by default ${fallback}` };
  }
  const auditAllow = firstHolding(lists, false, true, caller)?.policy ?? null;
  return { permit: false, policy, auditPolicy: auditAllow, reason: refusal };
}

/** @returns why the default refuses the caller, or null */
function defaultRefusal(fallback: DefaultPolicy, networks: readonly IpBlock[], caller: Caller): string | null {
  switch (fallback) {
    case "all-unauthenticated":
    case "audit":
      return null;
    case "all-authenticated":
      return caller.identity === "" ? "no policy allows it, and the client has no mesh identity" : null;
    case "cluster-unauthenticated":
      return isInside(networks, caller)
        ? null
        : "no policy allows it, and the client is outside of the cluster's networks";
    case "cluster-authenticated":
      if (caller.identity === "") return "no policy allows it, and the client has no mesh identity";
      return isInside(networks, caller)
        ? null
        : "no policy allows it, and the client is outside of the cluster's networks";
    case "deny":
      return "no policy allows it";
    default:
      return fallback satisfies never;
  }
}

function isInside(networks: readonly IpBlock[], caller: Caller): boolean {
  const ip = caller.ip;
  return ip !== null && networks.some((block) => blockContains(block, ip));
}

/** The holding rule with the lowest key, over all lists. */
function firstHolding(
  lists: readonly (readonly Rule[])[],
  deny: boolean,
  audit: boolean,
  caller: Caller,
): Rule | null {
  let best: Rule | null = null;
  for (const list of lists) {
    const rule = list.find((rule) => rule.deny === deny && rule.audit === audit && holds(rule, caller));
    if (rule !== undefined && (best === null || rule.key < best.key)) best = rule;
  }
  return best;
}

function holds(rule: Rule, caller: Caller): boolean {
  return rule.credentials.every((credential) => credential.holds(caller.identity, caller.ip));
}
