/**
 * IP addresses and CIDR blocks as numbers, so that membership is four comparisons.
 *
 * An IPv4 address and its IPv4-mapped IPv6 form (RFC 4291 §2.5.5.2) are the same address: a listener on `::` reports the
 * latter. They belong to IPv4 blocks only, so `::/0` does not silently cover IPv4.
 */
import { bad, ok, type Result } from "../base/result.ts";

/** An address: IPv4 in `d` alone (a, b 0, c 0xffff), or IPv6 in four words of 32 bits. */
export class IpAddress {
  readonly v4: boolean;
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly d: number;

  constructor(a: number, b: number, c: number, d: number) {
    this.v4 = a === 0 && b === 0 && c === 0xffff;
    this.a = a;
    this.b = b;
    this.c = c;
    this.d = d;
  }
}

/** A block of addresses of one family. */
export interface IpBlock {
  readonly v4: boolean;
  readonly base: IpAddress;
  /** Leading bits that must be equal, counted in IPv6 bits (an IPv4 /8 is 104). */
  readonly prefixBits: number;
}

/**
 * Reads an address in text form (RFC 4291 §2.2, RFC 6943 strict dotted decimal). Zone identifiers are refused.
 *
 * @returns the address, or null when the text is none
 */
export function parseIp(text: string): IpAddress | null {
  if (text.length > 45) return null; // longest form: 8 groups with an embedded IPv4 address
  if (!text.includes(":")) {
    const d = parseIpv4(text);
    return d < 0 ? null : new IpAddress(0, 0, 0xffff, d);
  }
  return parseIpv6(text);
}

/** @returns the address of 4 or 16 bytes, or null when there are neither */
export function ipFromBytes(bytes: Uint8Array): IpAddress | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length === 4) return new IpAddress(0, 0, 0xffff, view.getUint32(0));
  if (bytes.length !== 16) return null;
  return new IpAddress(view.getUint32(0), view.getUint32(4), view.getUint32(8), view.getUint32(12));
}

/** Canonical text: dotted decimal, or RFC 5952 for IPv6. */
export function formatIp(ip: IpAddress): string {
  if (ip.v4) return `${ip.d >>> 24}.${(ip.d >>> 16) & 255}.${(ip.d >>> 8) & 255}.${ip.d & 255}`;
  const groups: number[] = [];
  for (const word of [ip.a, ip.b, ip.c, ip.d]) groups.push(word >>> 16, word & 0xffff);
  let start = -1;
  let length = 1; // a single zero group is not shortened (RFC 5952 §4.2.2)
  for (let i = 0; i < 8; i++) {
    let n = 0;
    while (i + n < 8 && groups[i + n] === 0) n++;
    if (n > length) {
      start = i;
      length = n;
    }
    i += n;
  }
  const hex = groups.map((g) => g.toString(16));
  if (start < 0) return hex.join(":");
  return `${hex.slice(0, start).join(":")}::${hex.slice(start + length).join(":")}`;
}

/** "ip:port", with IPv6 in brackets. */
export function hostPort(ip: string, port: number): string {
  return ip.includes(":") ? `[${ip}]:${port}` : `${ip}:${port}`;
}

/**
 * Reads a CIDR block; a bare address is a block of one. Bits behind the prefix are ignored.
 *
 * @param path where the text stands, for the error
 */
export function parseBlock(text: string, path: string): Result<IpBlock> {
  const slash = text.indexOf("/");
  const base = parseIp(slash < 0 ? text : text.slice(0, slash));
  if (base === null) return bad(path, JSON.stringify(text), "an IP address or a CIDR block like 10.0.0.0/8");
  // A mapped form written with an IPv6 prefix counts its bits from the start of the IPv6 address.
  const offset = base.v4 && !text.includes(":") ? 96 : 0;
  const digits = slash < 0 ? String(128 - offset) : text.slice(slash + 1);
  const bits = /^\d{1,3}$/.test(digits) ? Number(digits) + offset : 999;
  if (bits > 128) return bad(path, JSON.stringify(text), `a prefix length of 0–${128 - offset}`);
  return ok({ v4: base.v4 && bits >= 96, base, prefixBits: bits });
}

/** Whether the address lies in the block. */
export function blockContains(block: IpBlock, ip: IpAddress): boolean {
  if (block.v4 !== ip.v4) return false;
  const base = block.base;
  const bits = block.prefixBits;
  return sameBits(base.a, ip.a, bits) && sameBits(base.b, ip.b, bits - 32) && sameBits(base.c, ip.c, bits - 64) &&
    sameBits(base.d, ip.d, bits - 96);
}

function sameBits(x: number, y: number, bits: number): boolean {
  if (bits <= 0) return true;
  return bits >= 32 ? x === y : (x ^ y) >>> (32 - bits) === 0;
}

/** @returns the address as a number, -1 when malformed. Leading zeros are refused: others read them as octal. */
function parseIpv4(text: string): number {
  const parts = text.split(".");
  if (parts.length !== 4) return -1;
  let value = 0;
  for (const part of parts) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return -1;
    value = value * 256 + Number(part);
  }
  return value;
}

function parseIpv6(text: string): IpAddress | null {
  const halves = text.split("::");
  if (halves.length > 2) return null;
  const head = groupsOf(halves[0] as string, halves.length === 1); // split gives at least one part
  const tail = halves.length === 2 ? groupsOf(halves[1] as string, true) : []; // two parts
  if (head === null || tail === null) return null;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return null;
  const all = [...head, ...new Array<number>(missing).fill(0), ...tail];
  const word = (i: number) => (((all[i] as number) << 16) | (all[i + 1] as number)) >>> 0; // eight groups, checked above
  return new IpAddress(word(0), word(2), word(4), word(6));
}

/** @param last whether an embedded IPv4 address may end these groups */
function groupsOf(text: string, last: boolean): number[] | null {
  if (text === "") return [];
  const out: number[] = [];
  const parts = text.split(":");
  for (let i = 0; i < parts.length; i++) {
    const part = parts[i] as string; // in range
    if (part.includes(".")) {
      const v4 = last && i === parts.length - 1 ? parseIpv4(part) : -1;
      if (v4 < 0) return null;
      out.push(v4 >>> 16, v4 & 0xffff);
    } else if (/^[0-9a-fA-F]{1,4}$/.test(part)) out.push(parseInt(part, 16));
    else return null;
  }
  return out;
}
