/**
 * Known field names: interned, so that a parsed head allocates no string for them, with what an intermediary does to each.
 */
import { TOKEN_LOWER } from "./_bytes.ts";

/** What the parser does with a field; FIELD_PLAIN is passed on as it is. */
export const FIELD_PLAIN = 0;
export const FIELD_HOST = 1;
export const FIELD_CONTENT_LENGTH = 2;
export const FIELD_TRANSFER_ENCODING = 3;
export const FIELD_CONNECTION = 4;
export const FIELD_UPGRADE = 5;
export const FIELD_TE = 6;
export const FIELD_EXPECT = 7;
export const FIELD_CONTENT_TYPE = 8;
/** Of one connection only and without meaning to us: dropped. */
export const FIELD_DROPPED = 9;

/** Connection may not name it: removing it would change what the message means to its recipient. */
export const IS_PROTECTED = 1;
/** Not accepted in trailers (RFC 9110 §6.5.1: framing, routing, authentication, content format, request modifiers). */
export const NOT_IN_TRAILERS = 2;

export class KnownField {
  readonly name: string;
  readonly kind: number;
  readonly flags: number;
  readonly hash: number;
  /** `name: `, ready to be written. */
  readonly prefix: Uint8Array;
  /** Next name in the same slot. */
  next: KnownField | null = null;

  constructor(name: string, kind: number, flags: number) {
    this.name = name;
    this.kind = kind;
    this.flags = flags;
    this.hash = hashOf(name);
    this.prefix = Buffer.from(`${name}: `, "latin1");
  }
}

const SLOTS = 512;
const byName = new Map<string, KnownField>();
const table: (KnownField | null)[] = new Array(SLOTS).fill(null);

const BOTH = IS_PROTECTED | NOT_IN_TRAILERS;
add(FIELD_HOST, BOTH, "host");
add(FIELD_CONTENT_LENGTH, BOTH, "content-length");
add(FIELD_TRANSFER_ENCODING, BOTH, "transfer-encoding");
add(FIELD_CONNECTION, NOT_IN_TRAILERS, "connection");
add(FIELD_UPGRADE, NOT_IN_TRAILERS, "upgrade");
add(FIELD_TE, NOT_IN_TRAILERS, "te");
add(FIELD_EXPECT, BOTH, "expect");
add(FIELD_CONTENT_TYPE, BOTH, "content-type");
add(FIELD_DROPPED, NOT_IN_TRAILERS, "keep-alive proxy-connection http2-settings");
add(
  FIELD_PLAIN,
  BOTH,
  "authorization cookie set-cookie content-encoding content-range cache-control range if-match if-none-match " +
    "if-modified-since if-unmodified-since if-range max-forwards forwarded x-forwarded-for x-forwarded-host " +
    "x-forwarded-proto x-forwarded-port x-forwarded-client-cert x-real-ip tulle-client-id proxy-authenticate " +
    "proxy-authorization www-authenticate location vary age expires date retry-after trailer origin " +
    "x-csrf-token x-api-key x-http-method-override",
);
add(
  FIELD_PLAIN,
  IS_PROTECTED,
  "via x-request-id traceparent tracestate baggage b3 x-b3-traceid x-b3-spanid x-b3-parentspanid x-b3-sampled " +
    "x-b3-flags grpc-timeout grpc-encoding grpc-accept-encoding grpc-status grpc-message grpc-status-details-bin",
);
add(
  FIELD_PLAIN,
  0,
  "accept accept-charset accept-encoding accept-language accept-ranges access-control-allow-credentials " +
    "access-control-allow-headers access-control-allow-methods access-control-allow-origin access-control-expose-headers " +
    "access-control-max-age access-control-request-headers access-control-request-method allow alt-svc content-disposition " +
    "content-language content-location content-security-policy digest dnt etag last-modified link pragma priority referer " +
    "referrer-policy sec-ch-ua sec-ch-ua-mobile sec-ch-ua-platform sec-fetch-dest sec-fetch-mode sec-fetch-site " +
    "sec-fetch-user sec-websocket-accept sec-websocket-extensions sec-websocket-key sec-websocket-protocol " +
    "sec-websocket-version server server-timing strict-transport-security upgrade-insecure-requests user-agent warning " +
    "x-content-type-options x-correlation-id x-frame-options x-powered-by x-requested-with x-xss-protection",
);

/** One step of the hash over a name's lower-case bytes, so that the parser can hash while it scans. */
export function hashStep(hash: number, lowerByte: number): number {
  return (Math.imul(hash, 31) + lowerByte) | 0;
}

/**
 * Finds a known name by its bytes, whatever their case.
 *
 * @param hash the fold of `hashStep` from 0 over the lower-case bytes
 * @returns the entry, or null when the name is not known (or only its hash is)
 */
export function knownField(buf: Uint8Array, start: number, end: number, hash: number): KnownField | null {
  let entry = table[slotOf(hash)] as KnownField | null; // slotOf() stays within the table
  for (; entry !== null; entry = entry.next) {
    if (entry.hash === hash && entry.name.length === end - start && sameName(buf, start, entry.name)) return entry;
  }
  return null;
}

/** Finds a known name given as a lower-case string. */
export function knownFieldByName(name: string): KnownField | undefined {
  return byName.get(name);
}

function sameName(buf: Uint8Array, start: number, name: string): boolean {
  for (let i = 0; i < name.length; i++) {
    if (TOKEN_LOWER[buf[start + i] as number] !== name.charCodeAt(i)) return false; // within the caller's bounds
  }
  return true;
}

function slotOf(hash: number): number {
  return (hash ^ (hash >>> 9) ^ (hash >>> 18)) & (SLOTS - 1);
}

function hashOf(name: string): number {
  let hash = 0;
  for (let i = 0; i < name.length; i++) hash = hashStep(hash, name.charCodeAt(i));
  return hash;
}

function add(kind: number, flags: number, names: string): void {
  for (const name of names.split(" ")) {
    const entry = new KnownField(name, kind, flags);
    const slot = slotOf(entry.hash);
    entry.next = table[slot] ?? null;
    table[slot] = entry;
    byName.set(name, entry);
  }
}
