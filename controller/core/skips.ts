/** What a workload keeps out of capture, by annotation. */
import { canonicalCidr, canonicalIp } from "./ip.ts";

const OUTBOUND_PORTS = "tulle.dev/skip-outbound-ports";
const INBOUND_PORTS = "tulle.dev/skip-inbound-ports";
const BLOCKS = "tulle.dev/skip-subnets";

/** Ports from first to last, both included. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
}

export interface Skips {
  readonly outboundPorts: readonly PortRange[];
  readonly inboundPorts: readonly PortRange[];
  readonly outboundBlocks: readonly string[];
}

/**
 * Reads the annotations tulle.dev/skip-outbound-ports, skip-inbound-ports ("25,7000-7010") and skip-subnets
 * ("10.0.0.0/8,fd00::/8").
 *
 * @param problems gets a line for each part that is malformed; it is left out
 */
export function readSkips(
  annotations: Readonly<Record<string, string>>,
  where: string,
  problems: string[],
): Skips {
  const parts = (key: string) =>
    (annotations[key] ?? "").split(",").map((part) => part.trim()).filter((part) => part !== "");
  const wrong = (key: string, part: string, want: string) =>
    void problems.push(`${where}: metadata.annotations["${key}"]: found ${JSON.stringify(part)}, want ${want}`);
  const ports = (key: string) =>
    parts(key).flatMap((part) => {
      const range = parseRange(part);
      if (range === null) wrong(key, part, "ports 1–65535 and ranges such as 7000-7010, separated by commas");
      return range ?? [];
    });
  const outboundBlocks = parts(BLOCKS).flatMap((part) => {
    const block = canonicalCidr(part) ?? canonicalIp(part);
    if (block === null) wrong(BLOCKS, part, "blocks such as 10.0.0.0/8, separated by commas");
    return block ?? [];
  });
  return { outboundPorts: ports(OUTBOUND_PORTS), inboundPorts: ports(INBOUND_PORTS), outboundBlocks };
}

function parseRange(text: string): PortRange | null {
  const found = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
  if (found === null) return null;
  const first = Number(found[1]);
  const last = Number(found[2] ?? found[1]);
  return first >= 1 && first <= last && last <= 65535 ? { first, last } : null;
}
