/**
 * Header values and paths are kept as Latin-1 (one character per byte, as they are on the wire), configuration as
 * Unicode. Configuration is brought to the wire's form once, when it is decoded, so that matching compares as it is.
 */

const utf8 = new TextEncoder();

/** The UTF-8 bytes of a text, one character per byte. ASCII texts come back as they are. */
export function toWire(text: string): string {
  if (isAscii(text)) return text;
  let out = "";
  for (const byte of utf8.encode(text)) out += String.fromCharCode(byte);
  return out;
}

/** Like `toWire`, with each byte beyond ASCII percent-encoded, as RFC 3986 §2.1 asks of a path. */
export function toWirePath(path: string): string {
  if (isAscii(path)) return path;
  let out = "";
  for (const byte of utf8.encode(path)) {
    out += byte < 0x80 ? String.fromCharCode(byte) : "%" + byte.toString(16).toUpperCase();
  }
  return out;
}

/** Whether each character is below U+0080. */
function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false;
  return true;
}
