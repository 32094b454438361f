import { EXPECTS_CONTINUE, HeaderBlock } from "../header_block.ts";
import { latin1 } from "../../base/latin1.ts";
import { hasPort, isAuthority, isOriginForm } from "./_authority.ts";
import { CR, LF, SP, startsWithAscii, TARGET_BYTE, TOKEN_LOWER } from "./_bytes.ts";
import { CONNECTION_CLOSE, CONNECTION_KEEP_ALIVE, CONNECTION_UPGRADE } from "./_connection.ts";
import { FieldSection, scanFields } from "./_fields.ts";
import { HeadCache } from "./head_cache.ts";
import {
  BAD_HOST,
  BAD_LINE_END,
  BAD_METHOD,
  BAD_TARGET,
  BAD_VERSION,
  CONNECT_WITH_BODY,
  HEAD_TOO_LONG,
  METHOD_TOO_LONG,
  MISSING_HOST,
  TARGET_TOO_LONG,
  UNSUPPORTED_VERSION,
} from "./error_code.ts";
import { FRAMING_CHUNKED, FRAMING_LENGTH, FRAMING_NONE } from "./framing.ts";
import { MAX_HEAD_BYTES, MAX_METHOD_BYTES, MAX_TARGET_BYTES } from "./limits.ts";

/** A request head, decoded; immutable, so the same object may serve every request that repeats the bytes. */
export interface RequestHead {
  /** Scheme "http" or what the absolute form said, "" for CONNECT; path in origin form, "*", or "" for CONNECT. */
  readonly block: HeaderBlock;
  readonly minorVersion: 0 | 1;
  /** FRAMING_NONE (also for `Content-Length: 0`), FRAMING_LENGTH or FRAMING_CHUNKED. */
  readonly framing: typeof FRAMING_NONE | typeof FRAMING_LENGTH | typeof FRAMING_CHUNKED;
  /** Body bytes that follow when framing is FRAMING_LENGTH, else 0. */
  readonly contentLength: number;
  /** Whether the client wants another request on this connection (RFC 9112 §9.3). */
  readonly keepAlive: boolean;
  /**
   * Protocols asked for, as sent but without h2c and h2; "" without `Connection: upgrade` and in HTTP/1.0.
   *
   * Also "" when a chunked body comes first: whoever forwards an upgrade as a tunnel would drop the chunks' framing, and a server
   * that ignores the upgrade would read the body as a request. A body with a length cannot be misread so.
   */
  readonly upgrade: string;
  /** The client waits for 100 (Continue); never in HTTP/1.0 (RFC 9110 §10.1.1). */
  readonly expectContinue: boolean;
  readonly isConnect: boolean;
  /** The target was `http://host/path`: the client believes that it speaks to a forward proxy. */
  readonly isAbsoluteForm: boolean;
}

const METHODS = ["GET", "POST", "PUT", "HEAD", "DELETE", "OPTIONS", "PATCH", "CONNECT", "TRACE"] as const;

/** Parts of the request line and the section; filled anew by each call. */
class Scratch {
  section = new FieldSection(false);
  scheme = "http";
  authority = "";
  path = "";
  isAbsoluteForm = false;
}

const scratch = new Scratch();
/** Sections of HTTP/1.1 seen before: what follows the request line repeats also where each request has a path of its own. */
const sections = new HeadCache<FieldSection>(64);

/**
 * Parses a request head (RFC 9112 §3, §5).
 *
 * Dropped, because they speak about one connection only: Connection and the fields it names (protected ones excepted: see
 * _field_names.ts), Keep-Alive, Proxy-Connection, Transfer-Encoding, Upgrade, HTTP2-Settings; Host becomes the authority; TE
 * stays as `te: trailers` or not at all. Proxy-Authorization and Proxy-Authenticate pass: the mesh is no party to them.
 *
 * @param buf bytes; the head is [start, headEnd) with `headEnd` from findHeadEnd; not kept
 * @returns the head, or a negative code of error_code.ts
 */
export function parseRequestHead(buf: Uint8Array, start: number, headEnd: number): RequestHead | number {
  if (headEnd - start > MAX_HEAD_BYTES) return HEAD_TOO_LONG;
  if (headEnd - start < 4 || headEnd > buf.length || !startsWithAscii(buf, headEnd - 4, "\r\n\r\n")) {
    return BAD_LINE_END;
  }
  const methodEnd = scanMethod(buf, start, headEnd);
  if (methodEnd < 0) return methodEnd;
  const method = methodText(buf, start, methodEnd);
  const targetStart = methodEnd + 1;
  const targetEnd = scanTarget(buf, targetStart, headEnd);
  if (targetEnd < 0) return targetEnd;
  const minorVersion = versionAt(buf, targetEnd + 1);
  if (minorVersion < 0) return minorVersion;

  const s = scratch;
  const badTarget = readTarget(buf, targetStart, targetEnd, method, s);
  if (badTarget < 0) return badTarget;
  const section = readSection(buf, targetEnd + 11, headEnd, minorVersion, s);
  if (typeof section === "number") return section;

  const host = section.host;
  if (host === null) {
    if (minorVersion === 1) return MISSING_HOST;
  } else if (host !== "" && !isAuthority(host)) return BAD_HOST;
  // RFC 9110 §9.3.6: a body and a tunnel cannot share the bytes behind the head.
  if (method === "CONNECT" && (section.isChunked || section.contentLength > 0)) return CONNECT_WITH_BODY;
  // RFC 9112 §3.2.2: the authority of an absolute target replaces Host.
  const authority = s.authority !== "" ? s.authority : host ?? "";
  return buildHead(method, minorVersion as 0 | 1, authority, s, section); // versionAt() gives 0, 1 or a code
}

/** The section, which may be shared with other heads, or a code. */
function readSection(
  buf: Uint8Array,
  start: number,
  end: number,
  minorVersion: number,
  s: Scratch,
): FieldSection | number {
  const known = minorVersion === 1 ? sections.get(buf, start, end) : null;
  if (known !== null) return known;
  const { section } = s;
  const bad = scanFields(buf, start, end, minorVersion, section);
  if (bad < 0) return bad;
  if (minorVersion === 1 && sections.put(buf, start, end, section)) s.section = new FieldSection(false);
  return section;
}

function buildHead(
  method: string,
  minorVersion: 0 | 1,
  authority: string,
  s: Scratch,
  section: FieldSection,
): RequestHead {
  const { fields, contentLength, flags, connection, isChunked, upgrade } = section;
  const isConnect = method === "CONNECT";
  const start = { method, scheme: s.scheme, authority, path: s.path, protocol: "", status: 0 };
  const framing = isChunked ? FRAMING_CHUNKED : contentLength > 0 ? FRAMING_LENGTH : FRAMING_NONE;
  const close = (connection & CONNECTION_CLOSE) !== 0;
  const upgrades = minorVersion === 1 && !isChunked && (connection & CONNECTION_UPGRADE) !== 0;
  return {
    block: new HeaderBlock(start, fields, contentLength, flags),
    minorVersion,
    framing,
    contentLength: framing === FRAMING_LENGTH ? contentLength : 0,
    keepAlive: !close && (minorVersion === 1 || (connection & CONNECTION_KEEP_ALIVE) !== 0),
    upgrade: upgrades ? upgrade : "",
    expectContinue: minorVersion === 1 && (flags & EXPECTS_CONTINUE) !== 0,
    isConnect,
    isAbsoluteForm: s.isAbsoluteForm,
  };
}

/** Index of the SP after the method, or a code. */
function scanMethod(buf: Uint8Array, start: number, end: number): number {
  let pos = start;
  while (pos < end && TOKEN_LOWER[buf[pos] as number] !== 0) pos++; // pos < end ≤ length
  if (pos - start > MAX_METHOD_BYTES) return METHOD_TOO_LONG;
  if (buf[pos] === LF || (buf[pos] === CR && buf[pos + 1] !== LF)) return BAD_LINE_END;
  return pos === start || buf[pos] !== SP ? BAD_METHOD : pos;
}

function methodText(buf: Uint8Array, start: number, end: number): string {
  for (let i = 0; i < METHODS.length; i++) {
    const name = METHODS[i] as string; // i < length
    if (name.length === end - start && startsWithAscii(buf, start, name)) return name;
  }
  return latin1(buf, start, end);
}

/** Index of the SP after the target, or a code. */
function scanTarget(buf: Uint8Array, start: number, end: number): number {
  let pos = start;
  while (pos < end && TARGET_BYTE[buf[pos] as number] === 1) pos++; // pos < end ≤ length
  if (pos - start > MAX_TARGET_BYTES) return TARGET_TOO_LONG;
  if (buf[pos] === LF || (buf[pos] === CR && buf[pos + 1] !== LF)) return BAD_LINE_END;
  if (buf[pos] === CR && pos > start) return BAD_VERSION; // HTTP/0.9
  return pos === start || buf[pos] !== SP ? BAD_TARGET : pos;
}

/** Minor version of `HTTP/1.x CR LF` at this place, or a code. */
function versionAt(buf: Uint8Array, pos: number): number {
  if (pos + 10 > buf.length || !startsWithAscii(buf, pos, "HTTP/")) return BAD_VERSION;
  const major = (buf[pos + 5] as number) - 0x30; // pos + 10 ≤ length
  const minor = (buf[pos + 7] as number) - 0x30;
  if (buf[pos + 6] !== 0x2e || major < 0 || major > 9 || minor < 0 || minor > 9) return BAD_VERSION;
  if (buf[pos + 8] === LF || (buf[pos + 8] === CR && buf[pos + 9] !== LF)) return BAD_LINE_END;
  if (buf[pos + 8] !== CR) return BAD_VERSION;
  return major === 1 && minor <= 1 ? minor : UNSUPPORTED_VERSION;
}

/** The four forms of RFC 9112 §3.2. */
function readTarget(buf: Uint8Array, start: number, end: number, method: string, out: Scratch): number {
  out.scheme = "http";
  out.authority = "";
  out.isAbsoluteForm = false;
  const target = latin1(buf, start, end);
  out.path = target;
  if (method === "CONNECT") {
    out.scheme = "";
    out.path = "";
    out.authority = target;
    return isAuthority(target) && hasPort(target) ? 0 : BAD_TARGET;
  }
  if (buf[start] === 0x2f) return 0;
  if (target === "*") return method === "OPTIONS" ? 0 : BAD_TARGET;
  return readAbsoluteForm(target, method, out);
}

function readAbsoluteForm(target: string, method: string, out: Scratch): number {
  const colon = target.indexOf("://");
  const scheme = colon < 0 ? "" : target.slice(0, colon).toLowerCase();
  if (scheme !== "http" && scheme !== "https") return BAD_TARGET;
  let end = colon + 3;
  while (end < target.length && target.charCodeAt(end) !== 0x2f && target.charCodeAt(end) !== 0x3f) end++;
  const authority = target.slice(colon + 3, end);
  if (!isAuthority(authority)) return BAD_TARGET;
  const rest = target.slice(end);
  out.scheme = scheme;
  out.authority = authority;
  out.isAbsoluteForm = true;
  // RFC 9110 §4.2.3: an empty path is "/"; RFC 9112 §3.2.4: for OPTIONS it is "*".
  out.path = rest === "" ? (method === "OPTIONS" ? "*" : "/") : isOriginForm(rest) ? rest : `/${rest}`;
  return 0;
}
