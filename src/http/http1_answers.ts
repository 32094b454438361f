/** Heads that an HTTP/1.1 connection makes itself. */
import type { ByteSink } from "../base/byte_sink.ts";
import { type HeaderBlock, headerBlock } from "../wire/header_block.ts";
import { appendResponseHead, SEND_CLOSE } from "../wire/http1/serialize.ts";

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
 * @param detail one sentence of visible ASCII
 */
export function appendErrorResponse(sink: ByteSink, status: number, detail: string): void {
  const text = `${detail}\n`;
  const bytes = new TextEncoder().encode(text);
  const head = headerBlock({ method: "", scheme: "", authority: "", path: "", protocol: "", status }, [
    "content-type",
    "text/plain; charset=utf-8",
    "content-length",
    String(bytes.length),
    "tulle-error",
    "bad_request",
  ]);
  appendResponseHead(sink, head, "", SEND_CLOSE, "");
  sink.append(bytes, 0, bytes.length);
}
