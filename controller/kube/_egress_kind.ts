/** Decoder of EgressNetwork (policy.tulle.dev/v1alpha1). */
import { type EgressNetwork, MAX_EGRESS_ENTRIES } from "./egress_network.ts";
import { isLabelName, readCidr, readMeta } from "./_meta.ts";
import type { Reader } from "./_reader.ts";

const HOST_FORM = "a host name such as api.example.org or *.example.org";

export function readEgressNetwork(root: Reader): EgressNetwork {
  const meta = readMeta(root, true);
  root.ignore("status");
  const spec = root.object("spec");
  const trafficPolicy = spec.oneOf("trafficPolicy", ["Allow", "Deny"], "Allow");
  if (!spec.has("trafficPolicy")) spec.bad("trafficPolicy", "Allow or Deny");
  const networks = spec.objects("networks", MAX_EGRESS_ENTRIES, (item) => {
    const cidr = readCidr(item, item.raw("cidr"), [...item.path, "cidr"]);
    const except = item.list("except", MAX_EGRESS_ENTRIES, "networks", (value, path) => readCidr(item, value, path));
    item.done();
    return { cidr, except };
  });
  const hosts = spec.texts("hosts", MAX_EGRESS_ENTRIES, HOST_FORM, isHost).map((host) => host.toLowerCase());
  spec.done();
  return { kind: "EgressNetwork", meta, trafficPolicy, networks, hosts };
}

function isHost(text: string): boolean {
  const host = text.startsWith("*.") ? text.slice(2) : text;
  return text.length <= 253 && host.includes(".") && host.toLowerCase().split(".").every(isLabelName);
}
