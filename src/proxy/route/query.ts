/**
 * Query parameters of a path, in the form that HTML forms and all common servers read (WHATWG URL,
 * application/x-www-form-urlencoded): pairs parted by "&", "+" is a space, %XX is a byte, anything else stands for itself.
 */

/**
 * Value of the first parameter with this name: what the Gateway API recommends for repeated ones.
 *
 * @param path with its query
 * @param name one character per byte, compared exactly
 * @returns the decoded value, one character per byte; "" when the parameter has no "="; null when there is none
 */
export function queryValue(path: string, name: string): string | null {
  let at = path.indexOf("?");
  if (at < 0) return null;
  while (at < path.length) {
    const start = at + 1;
    let end = path.indexOf("&", start);
    if (end < 0) end = path.length;
    if (end > start) {
      let equals = path.indexOf("=", start);
      if (equals < 0 || equals > end) equals = end;
      if (decodeForm(path, start, equals) === name) return decodeForm(path, equals + 1, end);
    }
    at = end;
  }
  return null;
}

function decodeForm(text: string, start: number, end: number): string {
  if (start >= end) return "";
  const raw = text.slice(start, end);
  if (!raw.includes("%") && !raw.includes("+")) return raw;
  return raw.replaceAll("+", " ").replace(/%([0-9a-fA-F]{2})/g, byteOf);
}

function byteOf(_match: string, hex: string): string {
  return String.fromCharCode(parseInt(hex, 16));
}
