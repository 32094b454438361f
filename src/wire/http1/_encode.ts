/** The HTTP/1.1 form of a block, as text of one character per byte, with every part checked again before it is written. */
import type { HeaderBlock } from "../header_block.ts";
import { hasPort, isAuthority, isOriginForm } from "./_authority.ts";
import { isAllOf, isToken, TOKEN_LOWER, VALUE_BYTE } from "./_bytes.ts";
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
  knownFieldByName,
  NOT_IN_TRAILERS,
} from "./_field_names.ts";
import { standardPhrase } from "./_reason.ts";
import { MAX_METHOD_BYTES, MAX_TARGET_BYTES } from "./limits.ts";

/** Target of a request as it is written: authority form for CONNECT, else the path. */
export function targetOf(block: HeaderBlock): string {
  return block.method === "CONNECT" ? block.authority : block.path;
}

/**
 * Request line, Host and fields, each with its CR LF, without the final empty line.
 *
 * @param target what stands between method and version; the caller takes it from `targetOf` or builds the absolute form
 * @param withHost false leaves the Host line out (HTTP/1.0 without an authority)
 * @returns the text, or a negative code
 */
export function requestText(block: HeaderBlock, target: string, withHost: boolean): string | number {
  const { method, authority, path, protocol, status } = block;
  if (status !== 0 || protocol !== "") return NOT_HTTP1;
  if (!isToken(method)) return BAD_METHOD;
  if (method.length > MAX_METHOD_BYTES) return METHOD_TOO_LONG;
  if (target.length > MAX_TARGET_BYTES) return TARGET_TOO_LONG;
  if (authority !== "" && !isAuthority(authority)) return BAD_HOST;
  if (method === "CONNECT") {
    if (path !== "" || authority === "" || !hasPort(authority)) return BAD_TARGET;
  } else if (!isOriginForm(path) && !(path === "*" && method === "OPTIONS")) return BAD_TARGET;
  const fields = fieldsText(block);
  if (typeof fields === "number") return fields;
  return `${method} ${target} HTTP/1.1\r\n${withHost ? `host: ${authority}\r\n` : ""}${fields}`;
}

/** Status line with the standard phrase and fields, each with its CR LF, without the final empty line; or a code. */
export function responseText(block: HeaderBlock): string | number {
  const { method, status } = block;
  if (method !== "" || !Number.isInteger(status) || status < 100 || status > 999) return BAD_STATUS_LINE;
  const fields = fieldsText(block);
  if (typeof fields === "number") return fields;
  return `${statusLine(status, standardPhrase(status))}${fields}`;
}

/** Trailer lines without the fields that must not come late; or a code. */
export function trailersText(block: HeaderBlock): string | number {
  let text = "";
  const { fields } = block;
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string; // pairs: both exist
    const value = fields[i + 1] as string;
    const bad = checkField(name, value);
    if (bad < 0) return bad;
    const known = knownFieldByName(name);
    if (known === null ? hasProtectedPrefix(name) : (known.flags & NOT_IN_TRAILERS) !== 0) continue;
    text += `${name}: ${value}\r\n`;
  }
  return text;
}

/** Status line in HTTP/1.1; the phrase may be empty, its SP stays. */
export function statusLine(status: number, reason: string): string {
  return `HTTP/1.1 ${status} ${reason}\r\n`;
}

/** Field lines without TE, which the connection's owner adds; or a code. */
function fieldsText(block: HeaderBlock): string | number {
  let text = "";
  let lengths = 0;
  const { fields } = block;
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string; // pairs: both exist
    const value = fields[i + 1] as string;
    const bad = checkField(name, value);
    if (bad < 0) return bad;
    switch (knownFieldByName(name)?.kind) {
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
    text += `${name}: ${value}\r\n`;
  }
  return lengths === 0 && block.contentLength >= 0 ? FRAMING_CONFLICT : text;
}

/** Whatever an HTTP/2 decoder let through, no line break and no second meaning gets into HTTP/1 from here. */
function checkField(name: string, value: string): number {
  if (name.length === 0) return BAD_FIELD_NAME;
  for (let i = 0; i < name.length; i++) {
    const c = name.charCodeAt(i);
    if (c > 0x7f || TOKEN_LOWER[c] !== c) return BAD_FIELD_NAME;
  }
  return isAllOf(VALUE_BYTE, value) ? 0 : BAD_FIELD_VALUE;
}
