/** IP addresses as text and bytes. Canonical text makes equal addresses equal map keys. */

/**
 * Parses an IPv4 or IPv6 address. An IPv4-mapped IPv6 address (::ffff:1.2.3.4) is its IPv4 address, as sockets report it either way.
 * @returns 4 or 16 bytes in network order, or null when it is no address (zones and ports included)
 */
export function parseIp(text: string): Uint8Array | null {
  if (text.length > 45) return null; // the longest form of IPv6
  return text.includes(":") ? parseIpv6(text) : parseIpv4(text);
}

/** Renders 4 or 16 bytes; IPv6 as RFC 5952 asks (lower case, longest run of zeros as "::"). */
export function formatIp(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".");
  const groups: number[] = [];
  for (let i = 0; i < 16; i += 2) groups.push(((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0));
  let start = -1, length = 1;
  for (let i = 0; i < 8; i++) {
    let end = i;
    while (end < 8 && groups[end] === 0) end++;
    if (end - i > length) {
      start = i;
      length = end - i;
    }
  }
  const hex = (part: number[]) => part.map((group) => group.toString(16)).join(":");
  if (start < 0) return hex(groups);
  return `${hex(groups.slice(0, start))}::${hex(groups.slice(start + length))}`;
}

/** The one text of an address, or null when the text is none. */
export function canonicalIp(text: string): string | null {
  const bytes = parseIp(text);
  return bytes === null ? null : formatIp(bytes);
}

/** "ip:port", with brackets around IPv6. @param ip canonical text */
export function socketAddress(ip: string, port: number): string {
  return ip.includes(":") ? `[${ip}]:${port}` : `${ip}:${port}`;
}

/** "10.0.0.0/8" with the host bits cleared and the length always there; null when it is no network. */
export function canonicalCidr(text: string): string | null {
  const slash = text.indexOf("/");
  const address = slash < 0 ? text : text.slice(0, slash);
  const bytes = parseIp(address);
  if (bytes === null) return null;
  const bits = bytes.length * 8;
  const length = slash < 0 ? bits : parseDecimal(text.slice(slash + 1), 128);
  if (length === null) return null;
  // A mapped network (::ffff:10.0.0.0/104) counts its length over 128 bits.
  const own = bytes.length === 4 && address.includes(":") && slash >= 0 ? length - 96 : length;
  if (own < 0 || own > bits) return null;
  const masked = bytes.map((byte, i) => byte & (0xff00 >> Math.min(8, Math.max(0, own - i * 8))) & 0xff);
  return `${formatIp(masked)}/${own}`;
}

function parseIpv4(text: string): Uint8Array | null {
  const parts = text.split(".");
  if (parts.length !== 4) return null;
  const bytes = new Uint8Array(4);
  for (let i = 0; i < 4; i++) {
    const value = parseDecimal(parts[i] ?? "", 255);
    if (value === null) return null;
    bytes[i] = value;
  }
  return bytes;
}

function parseIpv6(text: string): Uint8Array | null {
  const halves = text.split("::");
  if (halves.length > 2) return null;
  const head = parseGroups(halves[0] ?? "", halves.length === 1);
  const tail = halves.length === 2 ? parseGroups(halves[1] ?? "", true) : [];
  if (head === null || tail === null) return null;
  const missing = 16 - head.length - tail.length;
  if (halves.length === 2 ? missing < 2 : missing !== 0) return null;
  const bytes = new Uint8Array(16);
  bytes.set(head, 0);
  bytes.set(tail, 16 - tail.length);
  const mapped = bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff;
  return mapped ? bytes.slice(12) : bytes;
}

/** Groups of one side of "::" as bytes; the last may be an IPv4 address when `last`. */
function parseGroups(text: string, last: boolean): number[] | null {
  if (text === "") return [];
  const bytes: number[] = [];
  const groups = text.split(":");
  for (let i = 0; i < groups.length; i++) {
    const group = groups[i] ?? "";
    if (last && i === groups.length - 1 && group.includes(".")) {
      const ipv4 = parseIpv4(group);
      if (ipv4 === null) return null;
      bytes.push(...ipv4);
      continue;
    }
    if (!/^[0-9a-fA-F]{1,4}$/.test(group)) return null;
    const value = parseInt(group, 16);
    bytes.push(value >> 8, value & 0xff);
  }
  return bytes;
}

/** Decimal without sign or leading zero (octal to some parsers), or null. */
function parseDecimal(text: string, max: number): number | null {
  if (!/^(0|[1-9][0-9]{0,2})$/.test(text)) return null;
  const value = Number(text);
  return value <= max ? value : null;
}

/** Whether a network holds an address; both canonical. */
export function cidrContains(cidr: string, ip: string): boolean {
  const slash = cidr.indexOf("/");
  const network = parseIp(cidr.slice(0, slash));
  const address = parseIp(ip);
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
