/** The field lines of a head (RFC 9112 §5): one strict pass for requests and responses. */
import { EXPECTS_CONTINUE, HAS_TE_TRAILERS, IS_GRPC, parseDecimal } from "../header_block.ts";
import { latin1 } from "../../base/latin1.ts";
import { COLON, CR, HTAB, LF, SP, TOKEN_LOWER, VALUE_BYTE } from "./_bytes.ts";
import { addConnectionOptions, hasOption, hasProtectedPrefix, isChunked, removeNominated } from "./_connection.ts";
import {
  BAD_CONTENT_LENGTH,
  BAD_FIELD_NAME,
  BAD_FIELD_VALUE,
  BAD_LINE_END,
  BAD_TRANSFER_ENCODING,
  DUPLICATE_CONTENT_LENGTH,
  DUPLICATE_HOST,
  FRAMING_CONFLICT,
  OBS_FOLD,
  SPACE_BEFORE_COLON,
  TOO_MANY_FIELDS,
  TRANSFER_ENCODING_IN_1_0,
} from "./error_code.ts";
import {
  FIELD_CONNECTION,
  FIELD_CONTENT_LENGTH,
  FIELD_CONTENT_TYPE,
  FIELD_DROPPED,
  FIELD_EXPECT,
  FIELD_HOST,
  FIELD_PLAIN,
  FIELD_TE,
  FIELD_TRANSFER_ENCODING,
  FIELD_UPGRADE,
  hashStep,
  knownField,
  NOT_IN_TRAILERS,
} from "./_field_names.ts";
import { MAX_FIELDS } from "./limits.ts";
import { upgradeWithoutHttp2 } from "./upgrade.ts";

/** What a field section said; filled by `scanFields`, one per parser and reused, so copy out before the next message. */
export class FieldSection {
  /** Trailers: fields that must not come late are dropped instead of read. */
  readonly isTrailers: boolean;
  /** Fields that are passed on, [name, value, …]; fresh for every section, owned by whoever takes it. */
  fields: string[] = [];
  /** Value of the one Host field; null when absent. */
  host: string | null = null;
  /** Value of the one Content-Length; -1 when absent. */
  contentLength = -1;
  isChunked = false;
  /** Fact bits of HeaderBlock. */
  flags = 0;
  /** CONNECTION_* bits, see _connection.ts. */
  connection = 0;
  /** How many connection options were seen. */
  optionCount = 0;
  /** Other options named by Connection, in lower case; null when there are none. */
  nominated: string[] | null = null;
  /** All Upgrade values, joined by ", ", without h2c and h2. */
  upgrade = "";

  constructor(isTrailers: boolean) {
    this.isTrailers = isTrailers;
  }

  clear(): void {
    this.fields = [];
    this.host = null;
    this.contentLength = -1;
    this.isChunked = false;
    this.flags = 0;
    this.connection = 0;
    this.optionCount = 0;
    this.nominated = null;
    this.upgrade = "";
  }
}

/**
 * Reads field lines from `pos` to the empty line that ends at `end`.
 *
 * @param buf head bytes; `buf[end-2..end)` must be the CR LF of the empty line
 * @param minorVersion 0 or 1, from the start line
 * @param out filled; its content is meaningless when a code is returned
 * @returns 0, or a negative code of error_code.ts
 */
export function scanFields(buf: Uint8Array, pos: number, end: number, minorVersion: number, out: FieldSection): number {
  out.clear();
  const limit = end - 2;
  let count = 0;
  while (pos < limit) {
    if (++count > MAX_FIELDS) return TOO_MANY_FIELDS;
    const nameStart = pos;
    let hash = 0;
    let upper = 0;
    let b = 0;
    for (; pos < limit; pos++) {
      b = buf[pos] as number; // pos < limit ≤ length
      const lower = TOKEN_LOWER[b] as number; // a byte indexes 256 entries
      if (lower === 0) break;
      upper |= b ^ lower;
      hash = hashStep(hash, lower);
    }
    if (b !== COLON || pos === nameStart || pos >= limit) return nameError(buf, nameStart, pos, limit);
    const nameEnd = pos++;
    while (pos < limit && (buf[pos] === SP || buf[pos] === HTAB)) pos++;
    const valueStart = pos;
    while (pos < limit && VALUE_BYTE[buf[pos] as number] === 1) pos++;
    if (buf[pos] !== CR || buf[pos + 1] !== LF || pos >= limit) return valueError(buf, pos);
    let valueEnd = pos;
    while (valueEnd > valueStart && (buf[valueEnd - 1] === SP || buf[valueEnd - 1] === HTAB)) valueEnd--;
    pos += 2;

    const value = valueStart === valueEnd ? "" : latin1(buf, valueStart, valueEnd);
    const known = knownField(buf, nameStart, nameEnd, hash);
    if (known === null) {
      const sent = latin1(buf, nameStart, nameEnd);
      const name = upper === 0 ? sent : sent.toLowerCase();
      if (!out.isTrailers || !hasProtectedPrefix(name)) out.fields.push(name, value);
    } else if (out.isTrailers && (known.flags & NOT_IN_TRAILERS) !== 0) {
      continue;
    } else if (known.kind === FIELD_PLAIN) {
      out.fields.push(known.name, value);
    } else {
      const bad = takeSpecial(known.kind, known.name, value, out);
      if (bad < 0) return bad;
    }
  }
  if (pos !== limit) return BAD_LINE_END;
  return finish(minorVersion, out);
}

function takeSpecial(kind: number, name: string, value: string, out: FieldSection): number {
  switch (kind) {
    case FIELD_HOST:
      if (out.host !== null) return DUPLICATE_HOST;
      out.host = value;
      return 0;
    case FIELD_CONTENT_LENGTH: {
      if (out.contentLength >= 0) return DUPLICATE_CONTENT_LENGTH;
      const n = parseDecimal(value);
      if (n < 0) return value.includes(",") ? DUPLICATE_CONTENT_LENGTH : BAD_CONTENT_LENGTH;
      out.contentLength = n;
      // Leading zeros are legal, but some recipients read them as octal: pass on the one plain form.
      out.fields.push(name, value.length > 1 && value.charCodeAt(0) === 0x30 ? String(n) : value);
      return 0;
    }
    case FIELD_TRANSFER_ENCODING: {
      if (out.isChunked) return BAD_TRANSFER_ENCODING; // a second field line is a second coding
      const bad = isChunked(value);
      if (bad < 0) return bad;
      out.isChunked = true;
      return 0;
    }
    case FIELD_CONNECTION:
      return addConnectionOptions(value, out);
    case FIELD_UPGRADE:
      out.upgrade = upgradeWithoutHttp2(out.upgrade, value);
      return 0;
    case FIELD_TE:
      if (hasOption(value, "trailers")) out.flags |= HAS_TE_TRAILERS;
      return 0;
    case FIELD_EXPECT:
      if (value.toLowerCase() === "100-continue") out.flags |= EXPECTS_CONTINUE;
      out.fields.push(name, value);
      return 0;
    case FIELD_CONTENT_TYPE:
      if (value.startsWith("application/grpc")) out.flags |= IS_GRPC;
      out.fields.push(name, value);
      return 0;
    case FIELD_DROPPED:
      return 0;
  }
  return 0;
}

/** Rules that need the whole section. */
function finish(minorVersion: number, out: FieldSection): number {
  if (out.isChunked) {
    if (minorVersion === 0) return TRANSFER_ENCODING_IN_1_0;
    // RFC 9112 §6.1 lets us refuse; choosing one of the two is what every desynchronisation starts with.
    if (out.contentLength >= 0) return FRAMING_CONFLICT;
  }
  if (out.nominated !== null) out.fields = removeNominated(out.fields, out.nominated);
  if ((out.flags & HAS_TE_TRAILERS) !== 0) out.fields.push("te", "trailers");
  return 0;
}

function nameError(buf: Uint8Array, nameStart: number, at: number, limit: number): number {
  const b = at < limit ? buf[at] as number : CR; // at < limit ≤ length
  if (b === SP || b === HTAB) return at === nameStart ? OBS_FOLD : SPACE_BEFORE_COLON;
  if (b === LF || (b === CR && buf[at + 1] !== LF)) return BAD_LINE_END;
  return BAD_FIELD_NAME;
}

function valueError(buf: Uint8Array, at: number): number {
  return buf[at] === LF || buf[at] === CR ? BAD_LINE_END : BAD_FIELD_VALUE;
}
