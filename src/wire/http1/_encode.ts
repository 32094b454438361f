/** The HTTP/1.1 form of a block, every part checked again while it is written. */
import type { ByteSink } from "../../base/byte_sink.ts";
import type { HeaderBlock } from "../header_block.ts";
import { hasPort, isAuthority } from "./_authority.ts";
import { CR, LF, TARGET_BYTE, TOKEN_LOWER, VALUE_BYTE } from "./_bytes.ts";
import { hasProtectedPrefix } from "./_connection.ts";
import {
  BAD_FIELD_NAME,
  BAD_FIELD_VALUE,
  BAD_HOST,
  BAD_METHOD,
  BAD_STATUS_LINE,
  BAD_TARGET,
  CONNECTION_FIELD,
  FRAMING_CONFLICT,
  METHOD_TOO_LONG,
  NOT_HTTP1,
  TARGET_TOO_LONG,
} from "./error_code.ts";
import {
  FIELD_CONNECTION,
  FIELD_CONTENT_LENGTH,
  FIELD_DROPPED,
  FIELD_HOST,
  FIELD_TE,
  FIELD_TRANSFER_ENCODING,
  FIELD_UPGRADE,
  type KnownField,
  knownFieldByName,
  NOT_IN_TRAILERS,
} from "./_field_names.ts";
import { standardPhrase } from "./_reason.ts";
import { MAX_METHOD_BYTES, MAX_TARGET_BYTES } from "./limits.ts";

/** 1 for characters of a field name that is in lower case. */
const LOWER_TOKEN_BYTE = TOKEN_LOWER.map((lower, byte) => lower !== 0 && lower === byte ? 1 : 0);

/** Any byte: for text that was checked or is ours. */
const ANY_BYTE = new Uint8Array(256).fill(1);

/**
 * Appends request line, Host and fields, each with its CR LF, without the final empty line.
 *
 * @param isAbsolute writes the target as an URL; never with CONNECT
 * @param withHost false leaves the Host line out (HTTP/1.0 without an authority)
 * @returns 0, or a negative code; the sink then holds a part that the caller takes back
 */
export function putRequest(sink: ByteSink, block: HeaderBlock, isAbsolute: boolean, withHost: boolean): number {
  const { method, authority, path, protocol, status } = block;
  if (status !== 0 || protocol !== "") return NOT_HTTP1;
  if (method.length > MAX_METHOD_BYTES) return METHOD_TOO_LONG;
  if (path.length > MAX_TARGET_BYTES) return TARGET_TOO_LONG;
  if (authority !== "" && !isAuthority(authority)) return BAD_HOST;
  const isConnect = method === "CONNECT";
  if (isConnect) {
    if (path !== "" || authority === "" || !hasPort(authority)) return BAD_TARGET;
  } else if (path.charCodeAt(0) !== 0x2f && !(path === "*" && method === "OPTIONS")) return BAD_TARGET;

  if (method === "" || !putChecked(sink, method, TOKEN_LOWER)) return BAD_METHOD;
  sink.put1(0x20);
  if (isAbsolute) putText(sink, `${block.scheme}://${authority}`);
  // RFC 9112 §3.2.4: an URL without a path stands for the asterisk.
  const target = isConnect ? authority : isAbsolute && path === "*" ? "" : path;
  if (!putChecked(sink, target, TARGET_BYTE)) return BAD_TARGET;
  putText(sink, withHost ? " HTTP/1.1\r\nhost: " : " HTTP/1.1\r\n");
  if (withHost) {
    putText(sink, authority);
    putLineEnd(sink);
  }
  return putFields(sink, block);
}

/** Appends status line with the standard phrase, and fields, without the final empty line; 0 or a code as above. */
export function putResponse(sink: ByteSink, block: HeaderBlock): number {
  const { method, status } = block;
  if (method !== "" || !Number.isInteger(status) || status < 100 || status > 999) return BAD_STATUS_LINE;
  putStatusLine(sink, status, standardPhrase(status));
  return putFields(sink, block);
}

/** Appends a status line; the phrase may be empty, its SP stays. Returns whether the phrase was fit to be written. */
export function putStatusLine(sink: ByteSink, status: number, reason: string): boolean {
  putText(sink, `HTTP/1.1 ${status} `);
  const isFit = putChecked(sink, reason, VALUE_BYTE);
  putLineEnd(sink);
  return isFit;
}

/** Appends trailer lines without the fields that must not come late; 0 or a code as above. */
export function putTrailers(sink: ByteSink, block: HeaderBlock): number {
  const { fields } = block;
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string; // pairs: both exist
    const known = knownFieldByName(name);
    if (known === undefined ? hasProtectedPrefix(name) : (known.flags & NOT_IN_TRAILERS) !== 0) continue;
    const bad = putField(sink, known, name, fields[i + 1] as string);
    if (bad < 0) return bad;
  }
  return 0;
}

/** Appends text that is checked already or our own. */
function putText(sink: ByteSink, text: string): void {
  putChecked(sink, text, ANY_BYTE);
}

/** Field lines without TE, which the connection's owner adds. */
function putFields(sink: ByteSink, block: HeaderBlock): number {
  let lengths = 0;
  const { fields } = block;
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string; // pairs: both exist
    const value = fields[i + 1] as string;
    const known = knownFieldByName(name);
    if (known !== undefined) {
      switch (known.kind) {
        case FIELD_TE:
          continue;
        case FIELD_HOST:
        case FIELD_CONNECTION:
        case FIELD_TRANSFER_ENCODING:
        case FIELD_UPGRADE:
        case FIELD_DROPPED:
          return CONNECTION_FIELD;
        case FIELD_CONTENT_LENGTH:
          // The framing that the block claims and the one that is written must be the same number.
          if (++lengths > 1 || value !== String(block.contentLength)) return FRAMING_CONFLICT;
          break;
      }
    }
    const bad = putField(sink, known, name, value);
    if (bad < 0) return bad;
  }
  return lengths === 0 && block.contentLength >= 0 ? FRAMING_CONFLICT : 0;
}

/** Whatever an HTTP/2 decoder let through, no line break and no second meaning gets into HTTP/1 from here. */
function putField(sink: ByteSink, known: KnownField | undefined, name: string, value: string): number {
  if (known !== undefined) {
    sink.append(known.prefix, 0, known.prefix.length);
  } else {
    if (name === "" || !putChecked(sink, name, LOWER_TOKEN_BYTE)) return BAD_FIELD_NAME;
    sink.put1(0x3a);
    sink.put1(0x20);
  }
  if (!putChecked(sink, value, VALUE_BYTE)) return BAD_FIELD_VALUE;
  putLineEnd(sink);
  return 0;
}

function putLineEnd(sink: ByteSink): void {
  sink.put1(CR);
  sink.put1(LF);
}

/** Appends one byte per character while all are of the class; false as soon as one is not. */
function putChecked(sink: ByteSink, text: string, table: Uint8Array): boolean {
  const n = text.length;
  sink.reserve(n);
  const { buffer, length } = sink;
  for (let i = 0; i < n; i++) {
    const c = text.charCodeAt(i);
    if (c > 0xff || table[c] === 0) return false;
    buffer[length + i] = c;
  }
  sink.length = length + n;
  return true;
}
