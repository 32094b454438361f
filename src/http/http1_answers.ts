/** Heads that an HTTP/1.1 connection makes itself. */
import type { ByteSink } from "../base/byte_sink.ts";
import { EXPECTS_CONTINUE, type HeaderBlock, headerBlock } from "../wire/header_block.ts";
import type { RequestHead } from "../wire/http1/request_head.ts";
import {
  appendResponseHead,
  SEND_CHUNKED,
  SEND_CLOSE,
  SEND_HTTP10,
  SEND_KEEP_ALIVE,
  SEND_UPGRADE,
} from "../wire/http1/serialize.ts";
import { CHUNKED, COUNTED, OMITTED, UNTIL_CLOSE } from "./http1_body_writer.ts";
import { MAX_DISCARDED_BYTES } from "./limits.ts";

/** Identity of the edit below, for the memo of blocks. */
const EMPTY_BODY = {};

/**
 * The head with `content-length: 0`: a message that ended with its head in HTTP/2 has no length of its own, and in
 * HTTP/1.1 a response without one would last until the connection closes (RFC 9112 §6.3).
 */
export function withEmptyBody(head: HeaderBlock): HeaderBlock {
  if (head.editKey === EMPTY_BODY && head.editValue !== null) return head.editValue;
  const edited = headerBlock(head, [...head.fields, "content-length", "0"]);
  head.editKey = EMPTY_BODY;
  head.editValue = edited;
  return edited;
}

/**
 * Appends a whole response that says why a message was refused, and that the connection closes.
 *
 * @param status 4xx or 5xx
 * @param code reason code
 * @param detail one sentence of visible ASCII
 * @param request what it answers, null when its head was not understood; HEAD gets no body (RFC 9110 §9.3.2)
 */
export function appendErrorResponse(
  sink: ByteSink,
  status: number,
  code: string,
  detail: string,
  request: RequestHead | null,
): void {
  const text = `${detail}\n`;
  const bytes = new TextEncoder().encode(text);
  const head = headerBlock({ method: "", scheme: "", authority: "", path: "", protocol: "", status }, [
    "content-type",
    "text/plain; charset=utf-8",
    "content-length",
    String(bytes.length),
    "tulle-error",
    code,
    "tulle-error-detail",
    detail,
  ]);
  appendResponseHead(sink, head, "", SEND_CLOSE, "");
  if (request?.block.method !== "HEAD") sink.append(bytes, 0, bytes.length);
}

/** How the body of a response is sent. `end`: it has none. */
export function bodyOf(request: RequestHead, head: HeaderBlock, end: boolean): number {
  if (end || request.block.method === "HEAD" || isBodyless(head.status)) return OMITTED;
  if (head.contentLength >= 0) return COUNTED;
  return request.minorVersion === 1 ? CHUNKED : UNTIL_CLOSE;
}

/**
 * Whether the connection ends with an answer that comes before the end of its request: when it was refused, when there
 * is more to come than is read past, and when the client waited for 100 (Continue) and may now never send its body
 * (RFC 9110 §10.1.1).
 */
export function endsWithAnswer(request: RequestHead, status: number): boolean {
  return status >= 400 || request.contentLength > MAX_DISCARDED_BYTES || (request.block.flags & EXPECTS_CONTINUE) !== 0;
}

/**
 * Appends the head of the final response.
 *
 * @param body what `bodyOf` said
 * @returns 0, or a negative code of wire/http1/error_code.ts with nothing appended
 */
export function appendFinalHead(
  sink: ByteSink,
  request: RequestHead,
  head: HeaderBlock,
  end: boolean,
  reason: string,
  body: number,
  keepAlive: boolean,
): number {
  let bits = keepAlive ? 0 : SEND_CLOSE;
  if (request.minorVersion === 0) bits |= SEND_HTTP10 | (keepAlive ? SEND_KEEP_ALIVE : 0);
  if (body === CHUNKED) bits |= SEND_CHUNKED;
  const isEmpty = end && head.contentLength < 0 && !isBodyless(head.status) && request.block.method !== "HEAD";
  return appendResponseHead(sink, isEmpty ? withEmptyBody(head) : head, reason, bits, "");
}

/**
 * Appends the head that opens a tunnel: 101, or 2xx to CONNECT. Of the protocols asked for, a 101 names the one that was
 * switched to (RFC 9110 §7.8).
 *
 * @returns as `appendFinalHead`
 */
export function appendTunnelHead(sink: ByteSink, request: RequestHead, head: HeaderBlock, reason: string): number {
  const upgrade = head.status !== 101 ? "" : head.protocol === "" ? request.upgrade : head.protocol;
  return appendResponseHead(sink, head, reason, upgrade === "" ? 0 : SEND_UPGRADE, upgrade);
}

function isBodyless(status: number): boolean {
  return status === 204 || status === 304;
}
