/**
 * Headers that frame a message or belong to one connection: nobody may edit them by a route, for the other side would
 * read another message than was sent (RFC 9110 §7.6.1, RFC 9113 §8.2.2). In lower case.
 */
export const CONNECTION_HEADERS: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "host",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);
