/** Addresses and networks as text that is canonical: equal ones are equal map keys. */
import { ipBytes, ipText } from "../../src/base/ip.ts";

/** The one text of an address, or null when the text is none. */
export function canonicalIp(text: string): string | null {
  const bytes = ipBytes(text);
  return bytes === null ? null : ipText(bytes);
}

/** "10.0.0.0/8" with the host bits cleared and the length always there; null when it is no network. */
export function canonicalCidr(text: string): string | null {
  const slash = text.indexOf("/");
  const address = slash < 0 ? text : text.slice(0, slash);
  const bytes = ipBytes(address);
  if (bytes === null) return null;
  const bits = bytes.length * 8;
  const length = slash < 0 ? bits : prefixLength(text.slice(slash + 1));
  if (length === null) return null;
  // A mapped network (::ffff:10.0.0.0/104) counts its length over 128 bits.
  const own = bytes.length === 4 && address.includes(":") && slash >= 0 ? length - 96 : length;
  if (own < 0 || own > bits) return null;
  const masked = bytes.map((byte, i) => byte & (0xff00 >> Math.min(8, Math.max(0, own - i * 8))) & 0xff);
  return `${ipText(masked)}/${own}`;
}

/** Whether a network holds an address; both canonical. */
export function cidrContains(cidr: string, ip: string): boolean {
  const slash = cidr.indexOf("/");
  const network = ipBytes(cidr.slice(0, slash));
  const address = ipBytes(ip);
  if (network === null || address === null || network.length !== address.length) return false;
  const bits = Number(cidr.slice(slash + 1));
  for (let i = 0; i * 8 < bits; i++) {
    const mask = 0xff00 >> Math.min(8, bits - i * 8);
    if (((network[i] ?? 0) & mask) !== ((address[i] ?? 0) & mask)) return false;
  }
  return true;
}

/** Whether a network lies within another one and is smaller; both canonical. */
export function isProperSubnet(inner: string, outer: string): boolean {
  const [address = "", length] = inner.split("/");
  return Number(length) > Number(outer.slice(outer.indexOf("/") + 1)) && cidrContains(outer, address);
}

/** 0–128 without sign or leading zero (octal to some parsers), or null. */
function prefixLength(text: string): number | null {
  return /^(0|[1-9][0-9]{0,2})$/.test(text) && Number(text) <= 128 ? Number(text) : null;
}
