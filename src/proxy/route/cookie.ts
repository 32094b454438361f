/** Cookies of a request. */
import type { HeaderBlock } from "../../wire/header_block.ts";

/** Value of the first cookie of that name (RFC 6265 §4.2.1); a client may send several `cookie` fields over HTTP/2. */
export function cookieOf({ fields }: HeaderBlock, name: string): string | null {
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i] !== "cookie") continue;
    for (const pair of (fields[i + 1] as string).split(";")) { // pairs
      const equals = pair.indexOf("=");
      if (equals > 0 && pair.slice(0, equals).trim() === name) return pair.slice(equals + 1).trim();
    }
  }
  return null;
}
