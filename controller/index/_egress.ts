/** What may leave to an address outside of the mesh, by the namespace it leaves from. */
import { cidrContains, isProperSubnet } from "../core/ip.ts";
import type { Egress, ResourceRef } from "../core/snapshot.ts";
import type { EgressNetwork } from "../kube/egress_network.ts";
import type { Meta, NetworkBlock } from "../kube/resources.ts";
import { byName, type ResourceSet } from "../kube/store.ts";
import type { Report } from "./_report.ts";

const DEFAULT = "tulle.dev/default-egress-policy";

/** EgressNetworks of a namespace, and what holds where none applies. */
interface NamespaceEgress {
  readonly allow: boolean;
  readonly networks: readonly EgressNetwork[];
}

export type EgressIndex = ReadonlyMap<string, NamespaceEgress>;

/** By namespace; those that say nothing are not there. */
export function buildEgress(set: ResourceSet, report: Report): EgressIndex {
  const index = new Map<string, { allow: boolean; networks: EgressNetwork[] }>();
  for (const { meta } of set.list("Namespace")) {
    const allow = defaultOf(meta, report);
    if (allow !== null) index.set(meta.name, { allow, networks: [] });
  }
  for (const network of [...set.list("EgressNetwork")].sort(byName)) {
    const { namespace } = network.meta;
    const entry = index.get(namespace) ?? { allow: true, networks: [] };
    entry.networks.push(network);
    index.set(namespace, entry);
  }
  return index;
}

/** Who wrote something that cannot be read meant to restrict: deny holds until then. */
function defaultOf(meta: Meta, report: Report): boolean | null {
  const value = meta.annotations[DEFAULT];
  if (value === undefined) return null;
  if (value !== "allow" && value !== "deny") {
    report.annotation(meta, DEFAULT, value, "allow or deny; deny holds until then");
  }
  return value === "allow";
}

/**
 * What holds for an address that the mesh does not know; null: everything may go there.
 *
 * @param ip canonical
 * @param inside networks of the cluster: only an EgressNetwork that names them is about them
 */
export function egressTo(index: EgressIndex, namespace: string, ip: string, inside: readonly string[]): Egress | null {
  const entry = index.get(namespace);
  if (entry === undefined) return null;
  const isInside = inside.some((cidr) => cidrContains(cidr, ip));
  const about = entry.networks.filter(({ networks }) =>
    networks.length === 0 ? !isInside : networks.some((block) => holds(block, ip))
  );
  const rules = about.map((network) => ({
    network: refOf(network.kind, namespace, network.meta.name),
    allow: network.trafficPolicy === "Allow",
    hosts: network.hosts,
  }));
  // Whoever allows some names in a network of the cluster itself means the namespace's default for the others there.
  const isMeant = about.some(({ trafficPolicy, networks }) =>
    trafficPolicy === "Allow" && networks.some((block) => holds(block, ip) && isPart(block.cidr, inside))
  );
  const allow = entry.allow || (isInside && !isMeant);
  if (allow && rules.every((rule) => rule.allow)) return null;
  return { allow, fallback: { ...refOf("default", namespace, allow ? "allow" : "deny"), group: "" }, rules };
}

function holds({ cidr, except }: NetworkBlock, ip: string): boolean {
  return cidrContains(cidr, ip) && !except.some((part) => cidrContains(part, ip));
}

/** Not so the whole internet, which has these addresses, too. */
function isPart(cidr: string, inside: readonly string[]): boolean {
  return inside.some((whole) => whole === cidr || isProperSubnet(cidr, whole));
}

function refOf(kind: string, namespace: string, name: string): ResourceRef {
  return { group: "policy.tulle.dev", kind, namespace, name, section: "" };
}
