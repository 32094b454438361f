/** Decoder of EgressNetwork (policy.tulle.dev/v1alpha1). */
import { type EgressNetwork, MAX_EGRESS_ENTRIES } from "./egress_network.ts";
import { isLabelName, readMeta } from "./_meta.ts";
import { readNetworks } from "./_networks.ts";
import type { Reader } from "./_reader.ts";

const HOST_FORM = "a host name such as api.example.org or *.example.org";

export function readEgressNetwork(root: Reader): EgressNetwork {
  const meta = readMeta(root, true);
  root.ignore("status");
  const spec = root.object("spec");
  const trafficPolicy = spec.oneOf("trafficPolicy", ["Allow", "Deny"], "Allow");
  if (!spec.has("trafficPolicy")) spec.bad("trafficPolicy", "Allow or Deny");
  const networks = readNetworks(spec, "networks", MAX_EGRESS_ENTRIES);
  const hosts = spec.texts("hosts", MAX_EGRESS_ENTRIES, HOST_FORM, isHost).map((host) => host.toLowerCase());
  spec.done();
  return { kind: "EgressNetwork", meta, trafficPolicy, networks, hosts };
}

function isHost(text: string): boolean {
  const host = text.startsWith("*.") ? text.slice(2) : text;
  return text.length <= 253 && host.includes(".") && host.toLowerCase().split(".").every(isLabelName);
}
