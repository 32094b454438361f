/** Addresses and blocks as the kernel takes them: bytes in network order. */
import { ipBytes } from "../base/ip.ts";

export const AF_INET = 2;
export const AF_INET6 = 10;

/** Address or block of one family. */
export interface IpBytes {
  /** AF_INET or AF_INET6. */
  readonly family: number;
  /** 4 or 16 bytes. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Leading bits that count: 0–32 or 0–128; all of them for a single address. */
  readonly prefixLength: number;
}

/**
 * Reads "10.77.0.1", "10.77.0.0/16", "fd00::1" or "fd00::/64".
 *
 * @throws RangeError for anything else: these texts come from our own code or were checked at the edge
 */
export function blockBytes(text: string): IpBytes {
  const slash = text.indexOf("/");
  const bytes = ipBytes(slash < 0 ? text : text.slice(0, slash));
  if (bytes === null) {
    throw new RangeError(`bad_address: found ${JSON.stringify(text)}, want an IP address or a CIDR block`);
  }
  const bits = bytes.length * 8;
  const digits = slash < 0 ? String(bits) : text.slice(slash + 1);
  const prefixLength = /^\d{1,3}$/.test(digits) ? Number(digits) : -1;
  if (prefixLength < 0 || prefixLength > bits) {
    throw new RangeError(`bad_address: found ${JSON.stringify(text)}, want a prefix length of 0–${bits}`);
  }
  return { family: bytes.length === 4 ? AF_INET : AF_INET6, bytes, prefixLength };
}

/** The bytes in which the leading `prefixLength` bits are one. */
export function prefixMask(length: number, prefixLength: number): Uint8Array<ArrayBuffer> {
  const mask = new Uint8Array(new ArrayBuffer(length));
  for (let i = 0; i < length; i++) {
    const bits = Math.min(8, Math.max(0, prefixLength - 8 * i));
    mask[i] = (0xff << (8 - bits)) & 0xff;
  }
  return mask;
}
