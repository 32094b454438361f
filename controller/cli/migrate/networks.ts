/** Networks of other meshes as ours are written: without host bits, and with exceptions that lie within them. */
import { canonicalCidr, isProperSubnet } from "../../core/ip.ts";

export interface Network {
  readonly cidr: string;
  readonly except: readonly string[];
}

/**
 * A network without its exceptions: those elsewhere have no effect and are left out.
 *
 * @returns null when nothing is left of it. What is no network stays as it is, for the checks to tell
 */
export function networkOf(cidr: string, except: readonly string[]): Network | null {
  const whole = canonicalCidr(cidr);
  if (whole === null) return { cidr, except };
  const parts = except.map((text) => canonicalCidr(text) ?? text);
  if (parts.some((part) => part === whole || isProperSubnet(whole, part))) return null;
  return { cidr: whole, except: parts.filter((part) => canonicalCidr(part) === null || isProperSubnet(part, whole)) };
}

/** Networks that hold no address at all, where an object must have one. */
const NOWHERE: Network = { cidr: "255.255.255.254/31", except: ["255.255.255.254/32", "255.255.255.255/32"] };

/** Each network without the exceptions; never empty. */
export function networksOf(cidrs: readonly string[], except: readonly string[]): Network[] {
  const left = cidrs.map((cidr) => networkOf(cidr, except)).filter((network) => network !== null);
  return left.length === 0 ? [NOWHERE] : left;
}
