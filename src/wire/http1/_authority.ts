import { COLON, HEX_VALUE, HOST_BYTE, isAllOf, TARGET_BYTE } from "./_bytes.ts";

const MAX_PORT = 65535;
/** Longest authority (characters): a DNS name has at most 253, an address less; more is an attack on logs and routes. */
const MAX_AUTHORITY = 512;

/**
 * Whether a text is `uri-host [ ":" port ]` (RFC 9110 §7.2) without userinfo and without a comma.
 *
 * The comma is legal in a reg-name, but it is also how some stacks join two Host fields, so it is refused.
 */
export function isAuthority(text: string): boolean {
  if (text.length === 0 || text.length > MAX_AUTHORITY) return false;
  const hostEnd = text.charCodeAt(0) === 0x5b ? literalEnd(text) : nameEnd(text);
  if (hostEnd <= 0) return false;
  return hostEnd === text.length || (text.charCodeAt(hostEnd) === COLON && isPort(text, hostEnd + 1));
}

/** Whether the authority names a port; CONNECT must (RFC 9110 §9.3.6). */
export function hasPort(authority: string): boolean {
  const last = authority.charCodeAt(authority.length - 1);
  const colon = authority.lastIndexOf(":");
  return last >= 0x30 && last <= 0x39 && colon > authority.lastIndexOf("]");
}

/** Whether a text can stand as origin-form target: "/" and then visible ASCII without "#" (RFC 9112 §3.2.1). */
export function isOriginForm(text: string): boolean {
  return text.charCodeAt(0) === 0x2f && isAllOf(TARGET_BYTE, text);
}

/** Index past "]" of an IP literal: hexadecimal digits, colons, dots, and a zone after "%"; 0 when it is not one. */
function literalEnd(text: string): number {
  let zone = false;
  for (let i = 1; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === 0x5d) return i > 2 ? i + 1 : 0;
    if (c === 0x25) zone = true;
    if (c > 0x7f || !(HEX_VALUE[c] !== 255 || c === COLON || c === 0x2e || (zone && HOST_BYTE[c] === 1))) return 0;
  }
  return 0;
}

/** Index past the last character of a name or IPv4 address. */
function nameEnd(text: string): number {
  let i = 0;
  for (; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c > 0x7f || HOST_BYTE[c] === 0) break;
  }
  return i;
}

/** Digits up to 65535; RFC 3986 §3.2.3 lets the port be empty. */
function isPort(text: string, start: number): boolean {
  if (text.length - start > 5) return false;
  let port = 0;
  for (let i = start; i < text.length; i++) {
    const d = text.charCodeAt(i) - 0x30;
    if (d < 0 || d > 9) return false;
    port = port * 10 + d;
  }
  return port <= MAX_PORT;
}
