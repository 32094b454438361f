/**
 * IP addresses and CIDR blocks as numbers, so that membership is four comparisons.
 *
 * An IPv4 address and its IPv4-mapped IPv6 form (RFC 4291 §2.5.5.2) are the same address: a listener on `::` reports the
 * latter. They belong to IPv4 blocks only, so `::/0` does not silently cover IPv4.
 */
import { ipBytes, ipText } from "../base/ip.ts";
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

/** Reads an address in text form, see ipBytes. @returns null when the text is none */
export function parseIp(text: string): IpAddress | null {
  const bytes = ipBytes(text);
  return bytes === null ? null : ipFromBytes(bytes);
}

/** @returns the address of 4 or 16 bytes, or null when there are neither */
export function ipFromBytes(bytes: Uint8Array): IpAddress | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length === 4) return new IpAddress(0, 0, 0xffff, view.getUint32(0));
  if (bytes.length !== 16) return null;
  return new IpAddress(view.getUint32(0), view.getUint32(4), view.getUint32(8), view.getUint32(12));
}

/** @returns the 4 or 16 bytes of an address, in network order */
export function bytesOfIp(ip: IpAddress): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(ip.v4 ? 4 : 16);
  const view = new DataView(bytes.buffer);
  if (ip.v4) {
    view.setUint32(0, ip.d);
    return bytes;
  }
  view.setUint32(0, ip.a);
  view.setUint32(4, ip.b);
  view.setUint32(8, ip.c);
  view.setUint32(12, ip.d);
  return bytes;
}

/** Canonical text, see ipText. */
export function formatIp(ip: IpAddress): string {
  return ipText(bytesOfIp(ip));
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
