/**
 * IP addresses as text and as bytes in network order. One address has one text, so that equal addresses are equal keys; an
 * IPv4-mapped address (RFC 4291 §2.5.5.2) is its IPv4 address, as sockets of `::` report the latter.
 *
 *     ipText(ipBytes("FD00:0::7")) // "fd00::7"
 */

/** Length of the longest text: eight groups with an embedded IPv4 address. */
const MAX_TEXT = 45;

/**
 * Reads an address (RFC 4291 §2.2, RFC 6943 strict dotted decimal).
 *
 * @returns 4 or 16 bytes; null when it is no address: zones, ports, brackets and leading zeros are none
 */
export function ipBytes(text: string): Uint8Array<ArrayBuffer> | null {
  if (text.length > MAX_TEXT) return null;
  return text.includes(":") ? ipv6Bytes(text) : ipv4Bytes(text);
}

/** Writes an address; IPv6 as RFC 5952 asks. @returns "" when there are neither 4 nor 16 bytes */
export function ipText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".");
  if (bytes.length !== 16) return "";
  const groups: number[] = [];
  for (let i = 0; i < 16; i += 2) groups.push(((bytes[i] as number) << 8) | (bytes[i + 1] as number)); // 16 bytes
  let start = -1;
  let length = 1; // a single zero group is not shortened (RFC 5952 §4.2.2)
  for (let i = 0; i < 8; i++) {
    let end = i;
    while (end < 8 && groups[end] === 0) end++;
    if (end - i <= length) continue;
    start = i;
    length = end - i;
  }
  const hex = groups.map((group) => group.toString(16));
  if (start < 0) return hex.join(":");
  return `${hex.slice(0, start).join(":")}::${hex.slice(start + length).join(":")}`;
}

/** "ip:port", with IPv6 in brackets. */
export function hostPort(ip: string, port: number): string {
  return ip.includes(":") ? `[${ip}]:${port}` : `${ip}:${port}`;
}

function ipv4Bytes(text: string): Uint8Array<ArrayBuffer> | null {
  const parts = text.split(".");
  if (parts.length !== 4) return null;
  const bytes = new Uint8Array(4);
  for (let i = 0; i < 4; i++) {
    const part = parts[i] as string; // four parts
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return null; // others read a leading zero as octal
    bytes[i] = Number(part);
  }
  return bytes;
}

function ipv6Bytes(text: string): Uint8Array<ArrayBuffer> | null {
  const halves = text.split("::");
  if (halves.length > 2) return null;
  const head = groupBytes(halves[0] as string, halves.length === 1); // split gives at least one
  const tail = halves.length === 2 ? groupBytes(halves[1] as string, true) : []; // two halves
  if (head === null || tail === null) return null;
  const missing = 16 - head.length - tail.length;
  if (halves.length === 2 ? missing < 2 : missing !== 0) return null;
  const bytes = new Uint8Array(16);
  bytes.set(head, 0);
  bytes.set(tail, 16 - tail.length);
  return isMapped(bytes) ? bytes.slice(12) : bytes;
}

/** Bytes of the groups on one side of "::". @param isLast whether an embedded IPv4 address may end them */
function groupBytes(text: string, isLast: boolean): number[] | null {
  if (text === "") return [];
  const bytes: number[] = [];
  const groups = text.split(":");
  for (let i = 0; i < groups.length; i++) {
    const group = groups[i] as string; // in range
    if (/^[0-9a-fA-F]{1,4}$/.test(group)) {
      const value = Number.parseInt(group, 16);
      bytes.push(value >> 8, value & 0xff);
      continue;
    }
    const ipv4 = isLast && i === groups.length - 1 ? ipv4Bytes(group) : null;
    if (ipv4 === null) return null;
    bytes.push(...ipv4);
  }
  return bytes;
}

function isMapped(bytes: Uint8Array): boolean {
  for (let i = 0; i < 10; i++) if (bytes[i] !== 0) return false;
  return bytes[10] === 0xff && bytes[11] === 0xff;
}
