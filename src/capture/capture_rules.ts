/** A capture plan as rules, in the order in which the kernel tries them. Pure: no socket, no namespace. */
import { ADMIN_PORT, type CapturePlan, MESH_PORT, type PortRange } from "./capture_plan.ts";
import { SELF_TEST_IPV4, SELF_TEST_IPV6, SELF_TEST_PORT } from "./capture_plan.ts";
import { AF_INET, blockBytes, prefixMask } from "./ip_bytes.ts";
import { Base, type Expression, Meta, portBytes } from "./nft_batch.ts";

/** One rule of a chain. */
export interface CaptureRule {
  readonly chain: "output" | "prerouting";
  readonly expressions: readonly Expression[];
  /** Why it is there; shown by `nft list ruleset`. */
  readonly comment: string;
}

const IPPROTO_TCP = 6;
const IPPROTO_UDP = 17;
/** Where nameservers listen. */
const NAMESERVER_PORT = 53;
const NFPROTO_IPV4 = 2;
const NFPROTO_IPV6 = 10;
/** IFNAMSIZ: names are compared with their padding. */
const LINK_NAME_BYTES = 16;
/** Most skipped ports and blocks together: each is a rule that every new connection walks past. */
export const MAX_SKIP_RULES = 256;

/**
 * Rules of a plan.
 *
 * @throws RangeError for a port outside 1–65535, a range that ends before it starts, a malformed block, or more skip
 * rules than MAX_SKIP_RULES
 */
export function captureRules(plan: CapturePlan): CaptureRule[] {
  const skips = plan.skipOutboundPorts.length + plan.skipOutboundBlocks.length + plan.skipInboundPorts.length;
  if (skips > MAX_SKIP_RULES) {
    throw new RangeError(`too_many_skips: found ${skips} skip rules, want ≤ ${MAX_SKIP_RULES}`);
  }
  return [...outboundRules(plan), ...inboundRules(plan)];
}

function outboundRules(plan: CapturePlan): CaptureRule[] {
  if (plan.outboundPort === null) return [];
  const redirect: Expression = { kind: "redirect", port: checkedPort(plan.outboundPort) };
  const rules: CaptureRule[] = [];
  const add = (comment: string, ...expressions: Expression[]) => rules.push({ chain: "output", expressions, comment });

  for (const ip of [SELF_TEST_IPV4, SELF_TEST_IPV6]) {
    add("the proxy tests capture with this address", ...toBlock(ip), ...toPort(SELF_TEST_PORT), redirect);
  }
  if (plan.proxyUid !== null) {
    add("connections of the proxy", ...metaEquals(Meta.SKUID, hostU32(plan.proxyUid)), RETURN);
  }
  if (plan.proxyMark !== null) {
    add("connections of the proxy", ...metaEquals(Meta.MARK, hostU32(plan.proxyMark)), RETURN);
  }
  add("inside the workload", ...metaEquals(Meta.OIFNAME, linkName("lo")), RETURN);
  add("mesh ports are reached directly", ...toPort(MESH_PORT), RETURN);
  for (const range of plan.skipOutboundPorts) add("skipped port", ...toPorts(range), RETURN);
  for (const block of plan.skipOutboundBlocks) add("skipped block", ...toBlock(block), RETURN);
  if (plan.dnsPort !== null) {
    const toRelay: Expression = { kind: "redirect", port: checkedPort(plan.dnsPort) };
    for (const protocol of [UDP, TCP]) add("DNS goes to the proxy", ...protocol, ...isPort(NAMESERVER_PORT), toRelay);
  }
  add("all other TCP goes to the proxy", ...TCP, redirect);
  return rules;
}

function inboundRules(plan: CapturePlan): CaptureRule[] {
  if (plan.inboundPort === null) return [];
  const redirect: Expression = { kind: "redirect", port: checkedPort(plan.inboundPort) };
  const rules: CaptureRule[] = [];
  const add = (comment: string, ...expressions: Expression[]) =>
    rules.push({ chain: "prerouting", expressions, comment });

  add("inside the workload", ...metaEquals(Meta.IIFNAME, linkName("lo")), RETURN);
  add("mutual TLS from other proxies", ...toPort(MESH_PORT), RETURN);
  add("metrics and readiness of the proxy", ...toPort(ADMIN_PORT), RETURN);
  for (const range of plan.skipInboundPorts) add("skipped port", ...toPorts(range), RETURN);
  add("all other TCP goes to the proxy", ...TCP, redirect);
  return rules;
}

const RETURN: Expression = { kind: "return" };

const TCP: readonly Expression[] = metaEquals(Meta.L4PROTO, new Uint8Array([IPPROTO_TCP]));
const UDP: readonly Expression[] = metaEquals(Meta.L4PROTO, new Uint8Array([IPPROTO_UDP]));
/** Destination port: at byte 2 of the header of TCP and of UDP. */
const LOAD_PORT: Expression = { kind: "payload", base: Base.TRANSPORT, offset: 2, length: 2 };

function isPort(port: number): Expression[] {
  return [LOAD_PORT, { kind: "equals", value: portBytes(port) }];
}

function metaEquals(key: number, value: Uint8Array): Expression[] {
  return [{ kind: "meta", key }, { kind: "equals", value }];
}

function toPort(port: number): Expression[] {
  return toPorts({ first: port, last: port });
}

function toPorts(range: PortRange): Expression[] {
  const first = checkedPort(range.first);
  const last = checkedPort(range.last);
  if (last < first) throw new RangeError(`bad_port_range: found ${first}-${last}, want the first port before the last`);
  if (first === last) return [...TCP, ...isPort(first)];
  return [...TCP, LOAD_PORT, { kind: "between", from: portBytes(first), to: portBytes(last) }];
}

/** Destination address: at byte 16 of the IPv4 header, at byte 24 of the IPv6 header. */
function toBlock(text: string): Expression[] {
  const { family, bytes, prefixLength } = blockBytes(text);
  const v4 = family === AF_INET;
  const mask = prefixMask(bytes.length, prefixLength);
  const value = bytes.map((byte, i) => byte & (mask[i] as number)); // same length
  return [
    ...metaEquals(Meta.NFPROTO, new Uint8Array([v4 ? NFPROTO_IPV4 : NFPROTO_IPV6])),
    { kind: "payload", base: Base.NETWORK, offset: v4 ? 16 : 24, length: bytes.length },
    ...(prefixLength === bytes.length * 8 ? [] : [{ kind: "mask", mask } as const]),
    { kind: "equals", value },
  ];
}

function checkedPort(port: number): number {
  if (Number.isInteger(port) && port >= 1 && port <= 65535) return port;
  throw new RangeError(`bad_port: found ${port}, want 1–65535`);
}

function hostU32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

function linkName(name: string): Uint8Array {
  const bytes = new Uint8Array(LINK_NAME_BYTES);
  bytes.set(new TextEncoder().encode(name));
  return bytes;
}
