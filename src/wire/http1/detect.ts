import { HOST_BYTE, SP, startsWithAscii, TARGET_BYTE } from "./_bytes.ts";
import { MAX_DETECT_BYTES } from "./limits.ts";

/** Not an HTTP/1 request. */
export const NO = 0;
/** Could still become one: ask again with more bytes. Never with MAX_DETECT_BYTES or more. */
export const MAYBE = 1;
/** An HTTP/1 request line. */
export const YES = 2;

/** Longest method that counts here (bytes); the longest registered one has 17. */
const MAX_DETECT_METHOD_BYTES = 24;
/** What makes a first line HTTP: white space, this, and a minor version. */
const VERSION = " HTTP/1.";
/** What a target other than a path may start with; compared in lower case. */
const SCHEMES = ["http://", "https://"];
/** A long path is taken for HTTP before its version is seen only behind one of these. */
const USUAL_METHODS = ["GET ", "POST ", "PUT ", "HEAD ", "DELETE ", "OPTIONS ", "PATCH "];

/**
 * Decides from the first bytes of a connection whether the client speaks HTTP/1.0 or 1.1 (RFC 9112 §3).
 *
 * The first byte that cannot stand in a request line decides for NO: TLS, SSH, HTTP/2's preface, Redis, PostgreSQL, Kafka and
 * others fall out within their first few bytes. A request that is malformed in its first line is NO as well; where a policy
 * needs HTTP, the caller must refuse the connection instead of passing it on as opaque bytes.
 *
 * @returns NO, MAYBE or YES
 */
export function looksLikeHttp1(buf: Uint8Array, start: number, end: number): number {
  let pos = start;
  while (pos < end && isMethodByte(buf[pos] as number)) pos++; // pos < end ≤ length, here and below
  if (pos - start > MAX_DETECT_METHOD_BYTES) return NO;
  if (pos === end) return MAYBE;
  if (pos === start || buf[pos] !== SP) return NO;

  const targetStart = pos + 1;
  pos = targetStart;
  while (pos < end && TARGET_BYTE[buf[pos] as number] === 1) pos++;
  const shape = targetShape(buf, start, targetStart, pos);
  if (shape === NO) return NO;
  if (pos < end) {
    if (buf[pos] !== SP || shape !== YES) return NO;
    const version = versionFollows(buf, pos, end);
    if (version !== MAYBE) return version;
  }
  if (end - start < MAX_DETECT_BYTES) return MAYBE;
  return buf[targetStart] === 0x2f && hasUsualMethod(buf, start) ? YES : NO;
}

/** YES when the target's beginning fits one of the four forms, MAYBE when too little of it is there. */
function targetShape(buf: Uint8Array, start: number, targetStart: number, targetEnd: number): number {
  if (targetStart === targetEnd) return MAYBE;
  const first = buf[targetStart] as number; // a byte of the target is there
  if (first === 0x2f) return YES;
  const methodBytes = targetStart - start;
  if (methodBytes === 8 && startsWithAscii(buf, start, "CONNECT ")) return authorityShape(buf, targetStart, targetEnd);
  if (first === 0x2a) {
    return methodBytes === 8 && startsWithAscii(buf, start, "OPTIONS ") && targetEnd === targetStart + 1 ? YES : NO;
  }
  for (const scheme of SCHEMES) {
    const shape = prefixShape(buf, targetStart, targetEnd, scheme);
    if (shape !== NO) return shape;
  }
  return NO;
}

function authorityShape(buf: Uint8Array, start: number, end: number): number {
  for (let i = start; i < end; i++) {
    const b = buf[i] as number; // i < end ≤ length
    if (HOST_BYTE[b] === 0 && b !== 0x3a && b !== 0x5b && b !== 0x5d) return NO;
  }
  return YES;
}

function prefixShape(buf: Uint8Array, start: number, end: number, prefix: string): number {
  const length = end - start < prefix.length ? end - start : prefix.length;
  for (let i = 0; i < length; i++) if (((buf[start + i] as number) | 0x20) !== prefix.charCodeAt(i)) return NO;
  return length === prefix.length ? YES : MAYBE;
}

function versionFollows(buf: Uint8Array, pos: number, end: number): number {
  for (let i = 0; i < VERSION.length; i++) {
    if (pos + i >= end) return MAYBE;
    if (buf[pos + i] !== VERSION.charCodeAt(i)) return NO;
  }
  return YES;
}

function hasUsualMethod(buf: Uint8Array, start: number): boolean {
  for (const method of USUAL_METHODS) if (startsWithAscii(buf, start, method)) return true;
  return false;
}

/** Letters, digits, "-" and "_": all registered methods, but not the other token characters, with which protocols begin. */
function isMethodByte(b: number): boolean {
  const lower = b | 0x20;
  return (lower >= 0x61 && lower <= 0x7a) || (b >= 0x30 && b <= 0x39) || b === 0x2d || b === 0x5f;
}
