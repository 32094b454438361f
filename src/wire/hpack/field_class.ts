/**
 * What a field means to the rules of RFC 9113 §8, as a small number: found once per literal, kept beside the entries of the
 * tables, so that an indexed field costs no check at all.
 */
import { parseDecimal } from "../header_block.ts";

export const PLAIN = 0;
export const METHOD = 1;
export const SCHEME = 2;
export const AUTHORITY = 3;
export const PATH = 4;
export const PROTOCOL = 5;
export const STATUS = 6;
export const CONTENT_LENGTH = 7;
export const HOST = 8;
export const COOKIE = 9;
/** `te: trailers`; with any other value it is invalid. */
export const TE = 10;
/** `content-type: application/grpc…`; as the class of a name: any content-type. */
export const GRPC = 11;
/** `expect: 100-continue`; as the class of a name: any expect. */
export const EXPECT = 12;
/** Makes its message malformed: a wrong or forbidden name, or a wrong value. */
export const INVALID = 13;

const NAME_CLASSES: ReadonlyMap<string, number> = new Map([
  [":method", METHOD],
  [":scheme", SCHEME],
  [":authority", AUTHORITY],
  [":path", PATH],
  [":protocol", PROTOCOL],
  [":status", STATUS],
  ["content-length", CONTENT_LENGTH],
  ["host", HOST],
  ["cookie", COOKIE],
  ["te", TE],
  ["content-type", GRPC],
  ["expect", EXPECT],
  // connection-specific (RFC 9113 §8.2.2)
  ["connection", INVALID],
  ["keep-alive", INVALID],
  ["proxy-connection", INVALID],
  ["transfer-encoding", INVALID],
  ["upgrade", INVALID],
]);

const IN_NAME = 1;
const IN_TOKEN = 2;
const IN_PATH = 4;
const IN_AUTHORITY = 8;
const IN_SCHEME = 16;
/** For each byte, the sets of characters above that it is in. */
const SETS = new Uint8Array(256);
SETS.fill(IN_PATH, 0x21);
SETS[0x7f] = 0;
/** "#": a fragment is never sent (RFC 9113 §8.3.1), and peers differ on it. */
SETS[0x23] = 0;
const LOWER = "abcdefghijklmnopqrstuvwxyz";
const UPPER = LOWER.toUpperCase();
const DIGITS = "0123456789";
const TOKEN_MARKS = "!#$%&'*+-.^_`|~";
add(LOWER + DIGITS + TOKEN_MARKS, IN_NAME | IN_TOKEN);
add(UPPER, IN_TOKEN);
add(LOWER + UPPER + DIGITS + "+-.", IN_SCHEME);
add(LOWER + UPPER + DIGITS + "!$%&'()*+,-.:;=[]_~", IN_AUTHORITY);

function add(chars: string, sets: number): void {
  for (const char of chars) SETS[char.charCodeAt(0)] = (SETS[char.charCodeAt(0)] as number) | sets; // ASCII
}

function all(text: string, set: number): boolean {
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c > 255 || ((SETS[c] as number) & set) === 0) return false; // c < 256
  }
  return text.length > 0;
}

/** The class of a name: INVALID unless it is a lower-case token or one of the pseudo-header fields (RFC 9113 §8.2.1, §8.3). */
export function classOfName(name: string): number {
  return NAME_CLASSES.get(name) ?? (all(name, IN_NAME) ? PLAIN : INVALID);
}

/**
 * The class of a field.
 *
 * @param nameClass what `classOfName` said
 * @param clean the value holds no control character but HTAB
 */
export function classOfField(nameClass: number, value: string, clean: boolean): number {
  if (!clean || nameClass === INVALID) return INVALID;
  if (value.length > 0 && (isSpace(value.charCodeAt(0)) || isSpace(value.charCodeAt(value.length - 1)))) return INVALID;
  switch (nameClass) {
    case METHOD:
    case PROTOCOL:
      return all(value, IN_TOKEN) ? nameClass : INVALID;
    case SCHEME:
      return all(value, IN_SCHEME) ? SCHEME : INVALID;
    case AUTHORITY:
    case HOST:
      return value === "" || all(value, IN_AUTHORITY) || isOriginAuthority(value) ? nameClass : INVALID;
    case PATH:
      return all(value, IN_PATH) ? PATH : INVALID;
    case STATUS:
      return isStatus(value) ? STATUS : INVALID;
    case CONTENT_LENGTH:
      return parseDecimal(value) >= 0 ? CONTENT_LENGTH : INVALID;
    case TE:
      return value === "trailers" || value.toLowerCase() === "trailers" ? TE : INVALID;
    case GRPC:
      return value.startsWith("application/grpc") ? GRPC : PLAIN;
    case EXPECT:
      return value.toLowerCase() === "100-continue" ? EXPECT : PLAIN;
    default:
      return nameClass;
  }
}

/**
 * "http://name:port", which is no authority: gRPC clients exist that send it (etcd's to 3.4), and servers that take it. It goes
 * to HTTP/2 as it is, and names no host of a route; HTTP/1.1 could not say it.
 */
function isOriginAuthority(value: string): boolean {
  const scheme = value.startsWith("http://") ? 7 : value.startsWith("https://") ? 8 : 0;
  return scheme > 0 && all(value.slice(scheme), IN_AUTHORITY);
}

/** Bytes without control characters other than HTAB (RFC 9110 §5.5). */
export function isClean(buf: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) {
    const c = buf[i] as number; // in range by contract
    if (c < 0x20 ? c !== 0x09 : c === 0x7f) return false;
  }
  return true;
}

function isSpace(c: number): boolean {
  return c === 0x20 || c === 0x09;
}

/** Three digits from 100 on; not 101, which HTTP/2 does not have (RFC 9113 §8.6). */
function isStatus(value: string): boolean {
  return value.length === 3 && value.charCodeAt(0) > 0x30 && parseDecimal(value) >= 100 && value !== "101";
}
