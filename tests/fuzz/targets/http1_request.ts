import { ByteSink } from "../../../src/base/byte_sink.ts";
import { latin1 } from "../../../src/base/latin1.ts";
import { HAS_TE_TRAILERS } from "../../../src/wire/header_block.ts";
import { ChunkedDecoder, DATA, END } from "../../../src/wire/http1/chunked.ts";
import { nameForCode } from "../../../src/wire/http1/error_code.ts";
import { FRAMING_CHUNKED } from "../../../src/wire/http1/framing.ts";
import { findHeadEnd, skipLeadingCrlf } from "../../../src/wire/http1/head_end.ts";
import { parseRequestHead, type RequestHead } from "../../../src/wire/http1/request_head.ts";
import { appendRequestHead, SEND_CHUNKED, SEND_TE_TRAILERS } from "../../../src/wire/http1/serialize.ts";
import { readRequests } from "../../conformance/http1/reference.ts";
import { readByLlhttp } from "../../support/llhttp.ts";
import { agree, chopped, holds, type Target } from "../target.ts";
import { HTTP1_TOKENS, http1Messages, REQUEST_SEEDS } from "./_http1.ts";

export const target: Target = {
  about:
    "HTTP/1 request heads: the same by pieces, no other end than llhttp finds, and written anew they are one request",
  seeds: REQUEST_SEEDS,
  dictionary: HTTP1_TOKENS,
  generate: (random) => http1Messages(random, "request"),
  run(input) {
    const bytes = Buffer.from(input);
    const start = skipLeadingCrlf(bytes, 0, bytes.length);
    const end = findHeadEnd(bytes, start, bytes.length, start);
    const head = end > 0 ? parseRequestHead(bytes, start, end) : end;
    const byPieces = endByPieces(bytes, start);
    if (byPieces < 0) holds(typeof head === "number" && head < 0, `refused by pieces (${byPieces}), not in one`);
    else agree("the end of the head, in one piece and in several", Math.max(0, end), byPieces);
    if (typeof head === "number") return holds(head === 0 || nameForCode(head) !== "unknown", `code ${head}`);
    compareWithLlhttp(bytes, head, end);
    writeAnew(head);
  },
};

function endByPieces(bytes: Buffer, start: number): number {
  let have = start;
  let from = start;
  for (const piece of chopped(bytes.subarray(start))) {
    have += piece.length;
    const found = findHeadEnd(bytes.subarray(0, have), start, have, from);
    if (found !== 0) return found;
    from = have;
  }
  return 0;
}

function compareWithLlhttp(bytes: Buffer, head: RequestHead, headEnd: number): void {
  const ours = bodyOf(bytes, head, headEnd);
  if (ours === null) return;
  const foreign = readByLlhttp(bytes.subarray(0, ours.end));
  if (foreign.refused !== "") return; // it is stricter here and there: with methods, a tab behind chunked, empty extensions
  if (/upgrade/i.test(bytes.toString("latin1"))) return; // behind one llhttp stops reading
  holds(foreign.count === 1, `llhttp finds ${foreign.count} messages where we find one`);
  if (!head.isConnect && head.upgrade === "") agree("the body for us and for llhttp", ours.body, foreign.body);
}

function bodyOf(bytes: Buffer, head: RequestHead, headEnd: number): { end: number; body: string } | null {
  if (head.framing !== FRAMING_CHUNKED) {
    const end = headEnd + head.contentLength;
    return end > bytes.length ? null : { end, body: latin1(bytes, headEnd, end) };
  }
  const decoder = new ChunkedDecoder();
  let body = "";
  decoder.position = headEnd;
  for (;;) {
    const event = decoder.next(bytes, decoder.position, bytes.length);
    if (event === DATA) body += latin1(bytes, decoder.dataStart, decoder.dataEnd);
    else return event === END ? { end: decoder.position, body } : null;
  }
}

/** What we write is one request by the strictest reading, for the same target, and reads as the same head. */
function writeAnew(head: RequestHead): void {
  const sink = new ByteSink(64);
  const { block } = head;
  const isChunked = head.framing === FRAMING_CHUNKED;
  const trailers = (block.flags & HAS_TE_TRAILERS) !== 0 ? SEND_TE_TRAILERS : 0;
  const code = appendRequestHead(sink, block, (isChunked ? SEND_CHUNKED : 0) | trailers, "");
  if (code < 0) return holds(nameForCode(code) !== "unknown", `code ${code}`);
  const body = isChunked ? "0\r\n\r\n" : "b".repeat(Math.min(head.contentLength, 1 << 20));
  if (head.contentLength > body.length) return;
  const written = Buffer.concat([sink.buffer.subarray(0, sink.length), Buffer.from(body)]);
  const { messages, rest } = readRequests(written);
  holds(messages.length === 1 && rest === "", `written anew: ${messages.length} requests, ${rest}`);
  agree("method and target", [block.method, block.method === "CONNECT" ? block.authority : block.path], [
    messages[0]?.method,
    messages[0]?.target,
  ]);
  const again = parseRequestHead(written, 0, sink.length);
  holds(typeof again !== "number", `what we write we refuse: ${again}`);
  if (typeof again !== "number") agree("fields", block.fields, again.block.fields);
}
