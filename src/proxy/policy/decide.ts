/** The order of decisions: deny, then allow, then the default. */
import type { Authorization, DefaultPolicy } from "../../model/inbound.ts";
import { blockContains, type IpAddress, type IpBlock } from "../../model/ip.ts";
import { defaultResource, resourceKey, type ResourceRef } from "../../model/resource.ts";
import { compileCredential, type Credential } from "./credentials.ts";
import type { Cause } from "./verdict.ts";

/** An authorization ready to be asked. */
export interface Rule {
  readonly policy: ResourceRef;
  readonly key: string;
  /** All must hold. */
  readonly credentials: readonly Credential[];
}

/** One value for each sort of rule: enforced or in audit mode, deny or allow. */
export interface BySort<T> {
  readonly deny: T;
  readonly auditDeny: T;
  readonly allow: T;
  readonly auditAllow: T;
}

/** The rules of one target, each sort in the order of their names, so that the order they came in shows in no result. */
export type RuleSet = BySort<readonly Rule[]>;

/** Of each sort the first rule that holds for a caller. */
export type Findings = BySort<Rule | null>;

/** Who asks, as the rules see it. */
export interface Caller {
  /** "" when nothing was verified. */
  readonly identity: string;
  readonly ip: IpAddress | null;
}

/** What holds where no enforced allow does. */
export interface Fallback {
  readonly policy: DefaultPolicy;
  /**
   * Set when nothing is refused for want of an allow, only reported: names whose refusal it would have been. So it is with
   * the default audit, and with deny while the allows of the target are all in audit mode.
   */
  readonly trial: ResourceRef | null;
  /** What "inside" means for the cluster-* defaults. */
  readonly clusterNetworks: readonly IpBlock[];
}

/** Outcome before it is put in words for a port or route. */
export interface Decision {
  readonly permit: boolean;
  readonly cause: Cause;
  readonly policy: ResourceRef;
  readonly auditPolicy: ResourceRef | null;
  /** Of a permit: why. Of a refusal: what there is to add to who is refused, and where. */
  readonly reason: string;
}

/** Compiles the authorizations of one target. */
export function compileRules(authorizations: readonly Authorization[]): RuleSet {
  const set: BySort<Rule[]> = { deny: [], auditDeny: [], allow: [], auditAllow: [] };
  for (const { policy, action, mode, authentications } of authorizations) {
    const rule = { policy, key: resourceKey(policy), credentials: authentications.map(compileCredential) };
    if (action === "deny") (mode === "audit" ? set.auditDeny : set.deny).push(rule);
    else (mode === "audit" ? set.auditAllow : set.allow).push(rule);
  }
  const byKey = (a: Rule, b: Rule) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0);
  for (const list of [set.deny, set.auditDeny, set.allow, set.auditAllow]) list.sort(byKey);
  return set;
}

/** What holds at a target with these rules where no enforced allow does. */
export function fallbackOf(
  policy: DefaultPolicy,
  sets: readonly RuleSet[],
  clusterNetworks: readonly IpBlock[],
): Fallback {
  return { policy, trial: trialOf(policy, sets), clusterNetworks };
}

function trialOf(policy: DefaultPolicy, sets: readonly RuleSet[]): ResourceRef | null {
  if (policy === "audit") return defaultResource(policy);
  if (policy !== "deny" || sets.some(({ allow }) => allow.length > 0)) return null;
  let first: Rule | null = null;
  for (const { auditAllow } of sets) first = firstOf(first, auditAllow[0] ?? null);
  return first === null ? null : first.policy;
}

/** Asks each rule once, as far as needed. Depends on the caller alone: keep the result for the connection's life. */
export function findingsFor(set: RuleSet, caller: Caller): Findings {
  return {
    deny: firstHolding(set.deny, caller),
    auditDeny: firstHolding(set.auditDeny, caller),
    allow: firstHolding(set.allow, caller),
    auditAllow: firstHolding(set.auditAllow, caller),
  };
}

/** The findings of two targets that both hold, as if their rules stood in one list. */
export function joinFindings(a: Findings, b: Findings): Findings {
  return {
    deny: firstOf(a.deny, b.deny),
    auditDeny: firstOf(a.auditDeny, b.auditDeny),
    allow: firstOf(a.allow, b.allow),
    auditAllow: firstOf(a.auditAllow, b.auditAllow),
  };
}

/**
 * Decides: an enforced deny refuses; else an enforced allow admits; else the fallback holds. What a rule in audit mode, or
 * a fallback on trial, would have changed is named in `auditPolicy`, and changes nothing.
 */
export function decide(found: Findings, fallback: Fallback, caller: Caller): Decision {
  const { deny, allow } = found;
  if (deny !== null) return decision(false, "policy", deny.policy, null, "");
  const auditDeny = found.auditDeny?.policy ?? null;
  if (allow !== null) return decision(true, "policy", allow.policy, auditDeny, "allowed by policy");
  const auditAllow = found.auditAllow?.policy ?? null;
  if (fallback.trial !== null) {
    const policy = fallback.policy === "audit" || auditAllow === null ? defaultResource("audit") : auditAllow;
    if (auditAllow !== null) return decision(true, "default", policy, auditDeny, "allowed by a policy in audit mode");
    const reason = "no policy allows it, and what would refuse it only audits";
    return decision(true, "default", policy, auditDeny ?? fallback.trial, reason);
  }
  const policy = defaultResource(fallback.policy);
  const refusal = defaultRefusal(fallback, caller);
  if (refusal === null) return decision(true, "default", policy, auditDeny, `allowed by default ${fallback.policy}`);
  return decision(false, "default", policy, auditDeny === null ? auditAllow : null, refusal);
}

function decision(
  permit: boolean,
  cause: Cause,
  policy: ResourceRef,
  auditPolicy: ResourceRef | null,
  reason: string,
): Decision {
  return { permit, cause, policy, auditPolicy, reason };
}

/** @returns whether the default refuses the caller: what there is to add, or null if it does not */
function defaultRefusal({ policy, clusterNetworks }: Fallback, caller: Caller): string | null {
  switch (policy) {
    case "all-unauthenticated":
    case "audit":
      return null;
    case "all-authenticated":
      return caller.identity === "" ? "" : null;
    case "cluster-unauthenticated":
      return isInside(clusterNetworks, caller) ? null : NOT_INSIDE;
    case "cluster-authenticated":
      if (caller.identity === "") return "";
      return isInside(clusterNetworks, caller) ? null : NOT_INSIDE;
    case "deny":
      return "";
    default:
      return policy satisfies never;
  }
}

const NOT_INSIDE = ", from outside of the cluster's networks";

function isInside(networks: readonly IpBlock[], caller: Caller): boolean {
  const ip = caller.ip;
  return ip !== null && networks.some((block) => blockContains(block, ip));
}

/** The one with the lower key. */
function firstOf(a: Rule | null, b: Rule | null): Rule | null {
  if (a === null) return b;
  return b === null || a.key <= b.key ? a : b;
}

function firstHolding(rules: readonly Rule[], caller: Caller): Rule | null {
  return rules.find(({ credentials }) =>
    credentials.every((credential) => credential.holds(caller.identity, caller.ip))
  ) ?? null;
}
