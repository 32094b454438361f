/** Connection and Transfer-Encoding: fields about one hop (RFC 9110 §7.6.1; RFC 9112 §6.1). */
import { isToken } from "./_bytes.ts";
import { BAD_TRANSFER_ENCODING, TOO_MANY_CONNECTION_OPTIONS, UNKNOWN_TRANSFER_CODING } from "./error_code.ts";
import { IS_PROTECTED, knownFieldByName } from "./_field_names.ts";
import { MAX_CONNECTION_OPTIONS } from "./limits.ts";

export const CONNECTION_CLOSE = 1;
export const CONNECTION_KEEP_ALIVE = 2;
export const CONNECTION_UPGRADE = 4;

/** Prefixes of fields that carry identity or provenance: Connection cannot remove them, trailers cannot set them. */
const PROTECTED_PREFIXES = ["x-forwarded-", "tulle-"];

/** What this file needs of a field section. */
interface ConnectionOptions {
  connection: number;
  optionCount: number;
  nominated: string[] | null;
}

/**
 * Reads one Connection value.
 *
 * Options that are not tokens name no field and are ignored.
 *
 * @returns 0, or too_many_connection_options
 */
export function addConnectionOptions(value: string, out: ConnectionOptions): number {
  // What nearly all messages say, without the splitting.
  const usual = value === "keep-alive" ? CONNECTION_KEEP_ALIVE : value === "close" ? CONNECTION_CLOSE : 0;
  if (usual !== 0) {
    out.connection |= usual;
    return ++out.optionCount > MAX_CONNECTION_OPTIONS ? TOO_MANY_CONNECTION_OPTIONS : 0;
  }
  for (const part of value.toLowerCase().split(",", MAX_CONNECTION_OPTIONS + 1)) {
    if (++out.optionCount > MAX_CONNECTION_OPTIONS) return TOO_MANY_CONNECTION_OPTIONS;
    const option = trim(part);
    if (option === "close") out.connection |= CONNECTION_CLOSE;
    else if (option === "keep-alive") out.connection |= CONNECTION_KEEP_ALIVE;
    else if (option === "upgrade") out.connection |= CONNECTION_UPGRADE;
    else if (isToken(option) && option !== "te" && !isProtectedField(option)) (out.nominated ??= []).push(option);
  }
  return 0;
}

/** Whether a field survives being named by Connection: its loss would change the message for its recipient. */
function isProtectedField(name: string): boolean {
  const known = knownFieldByName(name);
  if (known !== undefined) return (known.flags & IS_PROTECTED) !== 0;
  return hasProtectedPrefix(name);
}

/** Whether a field belongs to a family that only the mesh or a trusted proxy sets. */
export function hasProtectedPrefix(name: string): boolean {
  for (const prefix of PROTECTED_PREFIXES) if (name.startsWith(prefix)) return true;
  return false;
}

/** The fields without those that Connection named; bounded by MAX_FIELDS × MAX_CONNECTION_OPTIONS comparisons. */
export function removeNominated(fields: readonly string[], nominated: readonly string[]): string[] {
  const kept: string[] = [];
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string; // pairs: both exist
    if (!nominated.includes(name)) kept.push(name, fields[i + 1] as string);
  }
  return kept;
}

/** Whether a comma list has this option (lower case), parameters aside: `trailers;q=0.5` counts. */
export function hasOption(value: string, option: string): boolean {
  const lower = value.toLowerCase();
  if (lower === option) return true;
  for (const part of lower.split(",")) {
    const semicolon = part.indexOf(";");
    if (trim(semicolon < 0 ? part : part.slice(0, semicolon)) === option) return true;
  }
  return false;
}

/**
 * Checks a Transfer-Encoding value: exactly `chunked`, in any case.
 *
 * @returns 0, unknown_transfer_coding when a well-formed list names another coding (and chunked, if at all, only once and
 *   last), bad_transfer_encoding otherwise, empty list elements and parameters of chunked included
 */
export function isChunked(value: string): number {
  const lower = value.toLowerCase();
  if (lower === "chunked") return 0;
  const codings = lower.split(",");
  for (let i = 0; i < codings.length; i++) {
    const part = codings[i] as string; // i < length
    const semicolon = part.indexOf(";");
    const coding = trim(semicolon < 0 ? part : part.slice(0, semicolon));
    if (!isToken(coding)) return BAD_TRANSFER_ENCODING;
    if (coding === "chunked" && (semicolon >= 0 || i < codings.length - 1)) return BAD_TRANSFER_ENCODING;
  }
  return UNKNOWN_TRANSFER_CODING;
}

/** Without white space as fields have it (SP, HTAB); String.trim would also take characters above ASCII. */
export function trim(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isSpace(text.charCodeAt(start))) start++;
  while (end > start && isSpace(text.charCodeAt(end - 1))) end--;
  return start === 0 && end === text.length ? text : text.slice(start, end);
}

function isSpace(c: number): boolean {
  return c === 0x20 || c === 0x09;
}
