import { HeaderBlock, withoutContentLength } from "../header_block.ts";
import { latin1 } from "../../base/latin1.ts";
import { CR, LF, SP, startsWithAscii, VALUE_BYTE } from "./_bytes.ts";
import { CONNECTION_CLOSE, CONNECTION_KEEP_ALIVE, CONNECTION_UPGRADE } from "./_connection.ts";
import { FieldSection, scanFields } from "./_fields.ts";
import { standardPhrase } from "./_reason.ts";
import { BAD_LINE_END, BAD_STATUS_LINE, HEAD_TOO_LONG, INTERIM_WITH_BODY, UNSUPPORTED_VERSION } from "./error_code.ts";
import { FRAMING_CHUNKED, FRAMING_LENGTH, FRAMING_NONE, FRAMING_UNTIL_CLOSE } from "./framing.ts";
import { MAX_HEAD_BYTES } from "./limits.ts";

/** One of the FRAMING_* constants. */
export type ResponseFraming =
  | typeof FRAMING_NONE
  | typeof FRAMING_LENGTH
  | typeof FRAMING_CHUNKED
  | typeof FRAMING_UNTIL_CLOSE;

/** A response head, decoded; immutable, so the same object may serve every response that repeats the bytes. */
export interface ResponseHead {
  readonly block: HeaderBlock;
  readonly minorVersion: 0 | 1;
  /** Reason phrase as sent; "" when it is absent, or the registered one of its status. */
  readonly reason: string;
  /** As the head alone says; ask `responseFraming` for what follows a given request. */
  readonly framing: ResponseFraming;
  /** Body bytes that follow when framing is FRAMING_LENGTH, else 0. */
  readonly contentLength: number;
  /** Whether the server takes another request on this connection, provided that the body's end is found. */
  readonly keepAlive: boolean;
  /** Protocols named with `Connection: upgrade`, without h2c and h2; "" otherwise. */
  readonly upgrade: string;
}

const section = new FieldSection(false);

/**
 * Parses a response head (RFC 9112 §4, §5). Fields of one connection are dropped as in requests, a stray Host too.
 *
 * @param buf bytes; the head is [start, headEnd) with `headEnd` from findHeadEnd; not kept
 * @returns the head, or a negative code of error_code.ts; whatever the code, a client is answered 502
 */
export function parseResponseHead(buf: Uint8Array, start: number, headEnd: number): ResponseHead | number {
  if (headEnd - start > MAX_HEAD_BYTES) return HEAD_TOO_LONG;
  if (headEnd - start < 4 || headEnd > buf.length || !startsWithAscii(buf, headEnd - 4, "\r\n\r\n")) {
    return BAD_LINE_END;
  }
  const minorVersion = versionAt(buf, start, headEnd);
  if (minorVersion < 0) return minorVersion;
  const status = statusAt(buf, start + 9);
  if (status < 0) return status;
  const lineEnd = scanReason(buf, start + 12, headEnd);
  if (lineEnd < 0) return lineEnd;
  const bad = scanFields(buf, lineEnd + 2, headEnd, minorVersion, section);
  if (bad < 0) return bad;
  // Whoever believes the announcement takes the final response for a body. A 101 ends HTTP, so it does no harm there.
  if (status < 200 && status !== 101 && (section.isChunked || section.contentLength > 0)) return INTERIM_WITH_BODY;
  return buildHead(status, minorVersion as 0 | 1, reasonText(buf, start + 12, lineEnd, status)); // checked above
}

/**
 * How the body of this response ends, given the request it answers (RFC 9112 §6.3).
 *
 * A 2xx to CONNECT and a 101 give FRAMING_NONE: what follows is a tunnel and not a body.
 *
 * @param requestMethod method of the request, in its own case
 * @param status status of the response, that of `head` unless rewritten
 */
export function responseFraming(head: ResponseHead, requestMethod: string, status: number): ResponseFraming {
  if (requestMethod === "HEAD" || status < 200 || status === 204 || status === 304) return FRAMING_NONE;
  if (requestMethod === "CONNECT" && status < 300) return FRAMING_NONE;
  return head.framing;
}

function buildHead(status: number, minorVersion: 0 | 1, reason: string): ResponseHead {
  const { contentLength, flags, connection, isChunked, upgrade } = section;
  let fields = section.fields;
  let length = contentLength;
  let keepAlive = (connection & CONNECTION_CLOSE) === 0 &&
    (minorVersion === 1 || (connection & CONNECTION_KEEP_ALIVE) !== 0);
  if ((status < 200 || status === 204) && (isChunked || length >= 0)) {
    // RFC 9110 §8.6 and RFC 9112 §6.1 forbid both here. Should a body follow all the same, it must not be read as the next
    // response: give the connection up. The length would mislead whoever comes after us.
    if (isChunked || length > 0) keepAlive = false;
    fields = withoutContentLength(fields);
    length = -1;
  }
  const framing = isChunked
    ? FRAMING_CHUNKED
    : length > 0
    ? FRAMING_LENGTH
    : length === 0
    ? FRAMING_NONE
    : FRAMING_UNTIL_CLOSE;
  const switched = minorVersion === 1 && (connection & CONNECTION_UPGRADE) !== 0 ? upgrade : "";
  const protocol = status === 101 ? switched : "";
  const start = { method: "", scheme: "", authority: "", path: "", protocol, status };
  return {
    block: new HeaderBlock(start, fields, length, flags),
    minorVersion,
    reason,
    framing,
    contentLength: length > 0 ? length : 0,
    keepAlive,
    upgrade: switched,
  };
}

/** Minor version of `HTTP/1.x SP` at this place, or a code. */
function versionAt(buf: Uint8Array, pos: number, end: number): number {
  if (pos + 12 > end || !startsWithAscii(buf, pos, "HTTP/") || buf[pos + 6] !== 0x2e || buf[pos + 8] !== SP) {
    return BAD_STATUS_LINE;
  }
  const major = (buf[pos + 5] as number) - 0x30; // pos + 12 ≤ end ≤ length
  const minor = (buf[pos + 7] as number) - 0x30;
  if (major < 0 || major > 9 || minor < 0 || minor > 9) return BAD_STATUS_LINE;
  return major === 1 && minor <= 1 ? minor : UNSUPPORTED_VERSION;
}

function statusAt(buf: Uint8Array, pos: number): number {
  let status = 0;
  for (let i = 0; i < 3; i++) {
    const d = (buf[pos + i] as number) - 0x30; // the caller checked 12 bytes
    if (d < 0 || d > 9) return BAD_STATUS_LINE;
    status = status * 10 + d;
  }
  return status < 100 ? BAD_STATUS_LINE : status;
}

/** Index of the CR that ends the status line, or a code. The SP before an empty reason is often left out: accepted. */
function scanReason(buf: Uint8Array, pos: number, end: number): number {
  if (buf[pos] !== SP && buf[pos] !== CR) return buf[pos] === LF ? BAD_LINE_END : BAD_STATUS_LINE;
  while (pos < end && VALUE_BYTE[buf[pos] as number] === 1) pos++; // pos < end ≤ length
  if (buf[pos] === CR && buf[pos + 1] === LF) return pos;
  return buf[pos] === CR || buf[pos] === LF ? BAD_LINE_END : BAD_STATUS_LINE;
}

function reasonText(buf: Uint8Array, spaceAt: number, lineEnd: number, status: number): string {
  const start = spaceAt + 1;
  if (start >= lineEnd) return "";
  const standard = standardPhrase(status);
  if (standard.length === lineEnd - start && startsWithAscii(buf, start, standard)) return "";
  return latin1(buf, start, lineEnd);
}
