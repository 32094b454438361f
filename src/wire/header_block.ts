/**
 * A header section with its start line, decoded once and shared by every request that repeats it.
 *
 * Decoders return the same object for the same bytes, so what is derived from it (a route, a verdict, its encoded form)
 * can be kept on it and is found again without work. The section itself never changes; only the memo slots do.
 */

/** Facts that the engines ask for on every message, computed once. */
export const HAS_TE_TRAILERS = 1;
/** `content-type` starts with `application/grpc`. */
export const IS_GRPC = 2;
/** `expect: 100-continue` was present (RFC 9110 §10.1.1). */
export const EXPECTS_CONTINUE = 4;

export class HeaderBlock {
  /** Request method, "" in responses and trailers. */
  readonly method: string;
  /** `:scheme`, "" when the message carried none (HTTP/1.1 origin form). */
  readonly scheme: string;
  /** `:authority` or Host, "" when absent. Never also among the fields. */
  readonly authority: string;
  /** `:path` (origin form with query, "*", or "" for CONNECT). */
  readonly path: string;
  /** `:protocol` of extended CONNECT (RFC 8441); of a 101, the protocol that was switched to; "" otherwise. */
  readonly protocol: string;
  /** Response status 100–999, 0 in requests and trailers. */
  readonly status: number;
  /** Regular fields [name, value, …] in order; names in lower case, values as Latin-1; no hop-by-hop fields. */
  readonly fields: readonly string[];
  /** Value of `content-length`, -1 when absent. */
  readonly contentLength: number;
  /** Bit set of the facts above. */
  readonly flags: number;

  /**
   * Names of fields that arrived as never indexed (RFC 7541 §6.2.3), null when there are none. They have to be sent in the
   * same way, so a block that is made from this one takes the list over.
   */
  sensitive: readonly string[] | null = null;

  /** Memo: what a route table said, valid while `routeKey` is the asking table. */
  routeKey: object | null = null;
  routeValue: unknown = null;
  /** Memo: what a policy said for a client, valid while `verdictKey` is the asking client's policy view. */
  verdictKey: object | null = null;
  verdictValue: unknown = null;
  /** Memo: this block after header edits, valid while `editKey` is the asking edit. */
  editKey: object | null = null;
  editValue: HeaderBlock | null = null;
  /** Memo: the HTTP/1.1 form, without the fields that depend on the connection. Owned by wire/http1. */
  http1: Uint8Array | null = null;

  /** @param start a block hands its start line on, and what has to stay out of compression tables */
  constructor(start: StartLine, fields: readonly string[], contentLength: number, flags: number) {
    this.method = start.method;
    this.scheme = start.scheme;
    this.authority = start.authority;
    this.path = start.path;
    this.protocol = start.protocol;
    this.status = start.status;
    this.fields = fields;
    this.contentLength = contentLength;
    this.flags = flags;
    if (start instanceof HeaderBlock) this.sensitive = start.sensitive;
  }

  /** Value of the first field with this lower-case name, or null. Linear: sections are short. */
  get(name: string): string | null {
    const f = this.fields;
    for (let i = 0; i < f.length; i += 2) if (f[i] === name) return f[i + 1] as string; // pairs: i+1 exists
    return null;
  }
}

/** Start line in HTTP/2's terms; parts that a message does not have are "" and 0. */
export interface StartLine {
  readonly method: string;
  readonly scheme: string;
  readonly authority: string;
  readonly path: string;
  readonly protocol: string;
  readonly status: number;
}

/** Start line of trailers. */
export const NO_START: StartLine = { method: "", scheme: "", authority: "", path: "", protocol: "", status: 0 };

/**
 * Builds a block from fields that are already valid (lower-case names, checked values), computing the facts.
 *
 * @param start parts of the start line
 * @param fields [name, value, …]; owned by the block from here on
 * @returns the block; `contentLength` is -1 when absent or not a plain decimal (the parser refuses such messages before)
 */
export function headerBlock(start: StartLine, fields: readonly string[]): HeaderBlock {
  let contentLength = -1;
  let flags = 0;
  for (let i = 0; i < fields.length; i += 2) {
    const value = fields[i + 1] as string; // pairs: i+1 exists
    switch (fields[i]) {
      case "content-length":
        contentLength = parseDecimal(value);
        break;
      case "content-type":
        if (value.startsWith("application/grpc")) flags |= IS_GRPC;
        break;
      case "te":
        if (value.toLowerCase() === "trailers") flags |= HAS_TE_TRAILERS;
        break;
      case "expect":
        if (value.toLowerCase() === "100-continue") flags |= EXPECTS_CONTINUE;
        break;
    }
  }
  return new HeaderBlock(start, fields, contentLength, flags);
}

/**
 * Reads a plain decimal number as Content-Length has it (RFC 9110 §8.6).
 *
 * @returns the number, or -1 when the text is empty, has anything but digits, or exceeds 2^53-1
 */
export function parseDecimal(text: string): number {
  if (text.length === 0 || text.length > 16) return -1;
  let n = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i) - 48;
    if (c < 0 || c > 9) return -1;
    n = n * 10 + c;
  }
  return Number.isSafeInteger(n) ? n : -1;
}

/** The fields but for Content-Length, which 1xx and 204 must not have (RFC 9110 §8.6). */
export function withoutContentLength(fields: readonly string[]): string[] {
  const kept: string[] = [];
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i] !== "content-length") kept.push(fields[i] as string, fields[i + 1] as string); // pairs: both exist
  }
  return kept;
}
