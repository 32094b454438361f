/** Decoder of networks with exceptions: NetworkAuthentication and EgressNetwork. */
import { canonicalCidr, canonicalIp, isProperSubnet } from "../core/ip.ts";
import type { Reader } from "./_reader.ts";
import { describeFound, type KeyPath } from "./problem.ts";
import type { NetworkBlock } from "./resources.ts";

/**
 * Reads a list of `{cidr, except}`; empty when absent. As NetworkPolicy has it, an exception lies within its network and
 * leaves something of it: another one has no effect, or too much, and is a slip either way.
 *
 * @param max most networks, and most exceptions of each
 */
export function readNetworks(spec: Reader, key: string, max: number): NetworkBlock[] {
  return spec.objects(key, max, (item) => {
    const cidr = readCidr(item, item.raw("cidr"), [...item.path, "cidr"]);
    const except = item.list("except", max, "networks", (value, path) => {
      const part = readCidr(item, value, path);
      if (cidr !== "" && part !== "" && !isProperSubnet(part, cidr)) {
        item.fail(path, `found ${describeFound(value)}, want a part of its cidr, ${cidr}, and not all of it`);
      }
      return part;
    });
    item.done();
    return { cidr, except };
  });
}

/** A network, or an address for itself alone; "" after an error. Host bits are refused: they say one thing and mean another. */
function readCidr(reader: Reader, value: unknown, path: KeyPath): string {
  const cidr = typeof value === "string" ? canonicalCidr(value) : null;
  if (typeof value !== "string" || cidr === null) {
    reader.fail(path, `found ${describeFound(value)}, want a network such as 10.0.0.0/8`);
    return "";
  }
  const [written = ""] = value.split("/");
  const [network] = cidr.split("/");
  const address = canonicalIp(written);
  if (address !== network) {
    reader.fail(path, `found ${describeFound(value)}, want the network, ${cidr}, or the one address, ${address}`);
    return "";
  }
  return cidr;
}
