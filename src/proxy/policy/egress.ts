/** Whether a connection or request may leave the mesh: a rule that denies, else one that allows, else the default. */
import type { Egress, EgressRule } from "../../model/egress.ts";
import type { ResourceRef } from "../../model/resource.ts";

export interface EgressVerdict {
  readonly permit: boolean;
  /** The EgressNetwork that decided; kind "default" when none did. */
  readonly network: ResourceRef;
  /** "not_resolved": a rule allows the name, but nobody has said that it leads to the address. */
  readonly cause: "policy" | "not_resolved";
  /** For people: why. */
  readonly reason: string;
}

/**
 * Decides. The address has been looked at already: the rules are those whose networks hold it, so a name never leads to an
 * address outside of the networks that stand beside it.
 *
 * @param host what the client says: SNI of TLS or Host of HTTP, lower case; null when it says nothing
 * @param isResolved the workload's nameserver has given the address for the name; true where names are not pinned. Rules
 * that deny, and those without names, do not ask for it
 */
export function decideEgress(egress: Egress, host: string | null, isResolved: boolean): EgressVerdict {
  const deny = egress.rules.find((rule) => !rule.allow && applies(rule, host));
  if (deny !== undefined) {
    return { permit: false, network: deny.network, cause: "policy", reason: `denied by EgressNetwork ${nameOf(deny)}` };
  }
  const allows = egress.rules.filter((rule) => rule.allow && applies(rule, host));
  const allow = allows.find(({ hosts }) => isResolved || hosts.length === 0);
  if (allow !== undefined) {
    const reason = `allowed by EgressNetwork ${nameOf(allow)}`;
    return { permit: true, network: allow.network, cause: "policy", reason };
  }
  const [unproven] = allows;
  if (unproven !== undefined && !egress.allow) {
    return {
      permit: false,
      network: unproven.network,
      cause: "not_resolved",
      reason: notResolved(unproven, host ?? ""),
    };
  }
  const who = host === null ? "the address without a name" : `the address under the name ${host}`;
  return {
    permit: egress.allow,
    network: egress.fallback,
    cause: "policy",
    reason: egress.allow ? "allowed by default" : `no EgressNetwork allows ${who}, and the namespace's default is deny`,
  };
}

/** Whether a name may change the decision. */
export function dependsOnHost(egress: Egress): boolean {
  return egress.rules.some(({ hosts }) => hosts.length > 0);
}

function applies({ hosts }: EgressRule, host: string | null): boolean {
  if (hosts.length === 0) return true;
  if (host === null) return false;
  return hosts.some((pattern) => pattern.startsWith("*.") ? host.endsWith(pattern.slice(1)) : host === pattern);
}

function notResolved(rule: EgressRule, host: string): string {
  return `EgressNetwork ${
    nameOf(rule)
  } allows ${host}, but the workload's nameserver has not given this address for it ` +
    "(tulle.dev/egress-dns: pinned); look the name up through /etc/resolv.conf shortly before, not by DNS over HTTPS " +
    "or TLS and not in /etc/hosts, or allow the address by networks";
}

function nameOf({ network }: EgressRule): string {
  return `${network.namespace}/${network.name}`;
}
