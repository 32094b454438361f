/** Whether a connection or request may leave the mesh: a rule that denies, else one that allows, else the default. */
import type { Egress, EgressRule } from "../../model/egress.ts";
import type { ResourceRef } from "../../model/resource.ts";

export interface EgressVerdict {
  readonly permit: boolean;
  /** The EgressNetwork that decided; kind "default" when none did. */
  readonly network: ResourceRef;
  /** For people: why. */
  readonly reason: string;
}

/**
 * Decides. The address has been looked at already: the rules are those whose networks hold it, so a name never leads to an
 * address outside of the networks that stand beside it.
 *
 * @param host what the client says: SNI of TLS or Host of HTTP, lower case; null when it says nothing
 */
export function decideEgress(egress: Egress, host: string | null): EgressVerdict {
  const deny = egress.rules.find((rule) => !rule.allow && applies(rule, host));
  if (deny !== undefined) {
    return { permit: false, network: deny.network, reason: `denied by EgressNetwork ${nameOf(deny)}` };
  }
  const allow = egress.rules.find((rule) => rule.allow && applies(rule, host));
  if (allow !== undefined) {
    return { permit: true, network: allow.network, reason: `allowed by EgressNetwork ${nameOf(allow)}` };
  }
  const who = host === null ? "the address without a name" : `the address under the name ${host}`;
  return {
    permit: egress.allow,
    network: egress.fallback,
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

function nameOf({ network }: EgressRule): string {
  return `${network.namespace}/${network.name}`;
}
