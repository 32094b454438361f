/** The static table of RFC 7541 appendix A. Index 1 is the first; index 0 of the arrays is unused. */

// deno-fmt-ignore
const ENTRIES: readonly string[] = [
  ":authority", "", ":method", "GET", ":method", "POST", ":path", "/", ":path", "/index.html",
  ":scheme", "http", ":scheme", "https", ":status", "200", ":status", "204", ":status", "206",
  ":status", "304", ":status", "400", ":status", "404", ":status", "500", "accept-charset", "",
  "accept-encoding", "gzip, deflate", "accept-language", "", "accept-ranges", "", "accept", "",
  "access-control-allow-origin", "", "age", "", "allow", "", "authorization", "", "cache-control", "",
  "content-disposition", "", "content-encoding", "", "content-language", "", "content-length", "",
  "content-location", "", "content-range", "", "content-type", "", "cookie", "", "date", "", "etag", "",
  "expect", "", "expires", "", "from", "", "host", "", "if-match", "", "if-modified-since", "",
  "if-none-match", "", "if-range", "", "if-unmodified-since", "", "last-modified", "", "link", "",
  "location", "", "max-forwards", "", "proxy-authenticate", "", "proxy-authorization", "", "range", "",
  "referer", "", "refresh", "", "retry-after", "", "server", "", "set-cookie", "",
  "strict-transport-security", "", "transfer-encoding", "", "user-agent", "", "vary", "", "via", "",
  "www-authenticate", "",
];

/** Entries in the table; dynamic indices begin after it. */
export const STATIC_ENTRIES = 61;
/** What RFC 7541 §4.1 adds to the lengths of name and value of an entry, bytes. */
export const ENTRY_OVERHEAD = 32;
/** The dynamic table's size before anything was said about it (RFC 9113 §6.5.2), bytes. */
export const DEFAULT_TABLE_BYTES = 4096;

export const STATIC_NAMES: readonly string[] = ["", ...ENTRIES.filter((_, i) => i % 2 === 0)];
export const STATIC_VALUES: readonly string[] = ["", ...ENTRIES.filter((_, i) => i % 2 === 1)];
/** Name → the first index that has it. */
export const STATIC_INDEX: ReadonlyMap<string, number> = new Map(
  STATIC_NAMES.map((name, i): [string, number] => [name, i]).slice(1).reverse(),
);
