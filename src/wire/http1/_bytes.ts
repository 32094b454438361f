/** Byte classes of RFC 9110 §5.6 and RFC 9112 §2 as tables, and the few byte routines that all parsers share. */

export const HTAB = 0x09;
export const LF = 0x0a;
export const CR = 0x0d;
export const SP = 0x20;
export const COLON = 0x3a;

/** Lower-case form of each token character, 0 for every other byte (RFC 9110 §5.6.2). */
export const TOKEN_LOWER = new Uint8Array(256);
/** 1 for bytes of a field value: HTAB, SP, VCHAR, obs-text (RFC 9110 §5.5). */
export const VALUE_BYTE = new Uint8Array(256);
/** 1 for bytes of a request target: VCHAR without "#" (a fragment is never sent, RFC 9112 §3.2; peers differ on it). */
export const TARGET_BYTE = new Uint8Array(256);
/** 1 for bytes of a host name: unreserved, sub-delims without the comma, and "%" (RFC 3986 §3.2.2). */
export const HOST_BYTE = new Uint8Array(256);
/** Value of a hexadecimal digit, 255 for every other byte. */
export const HEX_VALUE = new Uint8Array(256).fill(255);

// By lists: a regular expression for each byte would leave compiled code in every proxy's memory.
const LOWER = "abcdefghijklmnopqrstuvwxyz";
const LETTERS_AND_DIGITS = `${LOWER}${LOWER.toUpperCase()}0123456789`;
mark(TOKEN_LOWER, LETTERS_AND_DIGITS + "!#$%&'*+-.^_`|~", (c) => c.toLowerCase().charCodeAt(0));
mark(HOST_BYTE, LETTERS_AND_DIGITS + "-._~%!$&'()*+;=", () => 1);
mark(HEX_VALUE, "0123456789abcdefABCDEF", (c) => parseInt(c, 16));
VALUE_BYTE.fill(1, SP);
VALUE_BYTE[HTAB] = 1;
VALUE_BYTE[0x7f] = 0;
TARGET_BYTE.fill(1, SP + 1, 0x7f);
TARGET_BYTE[0x23] = 0; // "#"

function mark(table: Uint8Array, chars: string, valueOf: (char: string) => number): void {
  for (const char of chars) table[char.charCodeAt(0)] = valueOf(char);
}

/** The same bytes as a Buffer: sockets hand those out already; anything else is wrapped without a copy. */
export function asBuffer(buf: Uint8Array): Buffer {
  return Buffer.isBuffer(buf) ? buf : Buffer.from(buf.buffer, buf.byteOffset, buf.byteLength);
}

/** Whether the bytes from `start` are exactly this ASCII text; the caller knows that they are within bounds. */
export function startsWithAscii(buf: Uint8Array, start: number, text: string): boolean {
  for (let i = 0; i < text.length; i++) if (buf[start + i] !== text.charCodeAt(i)) return false;
  return true;
}

/** Whether a text is a non-empty token (RFC 9110 §5.6.2). */
export function isToken(text: string): boolean {
  if (text.length === 0) return false;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c > 0x7f || TOKEN_LOWER[c] === 0) return false;
  }
  return true;
}

/** Whether every character is of the class, so that the text is one byte per character and safe in its place. */
export function isAllOf(table: Uint8Array, text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c > 0xff || table[c] === 0) return false;
  }
  return true;
}
