import { ByteSink } from "../../../src/base/byte_sink.ts";
import { nameForCode } from "../../../src/wire/http1/error_code.ts";
import { FRAMING_CHUNKED, FRAMING_LENGTH } from "../../../src/wire/http1/framing.ts";
import { findHeadEnd } from "../../../src/wire/http1/head_end.ts";
import { parseResponseHead, responseFraming } from "../../../src/wire/http1/response_head.ts";
import { appendResponseHead, SEND_CHUNKED } from "../../../src/wire/http1/serialize.ts";
import { readResponses } from "../../conformance/http1/reference.ts";
import { agree, holds, type Target } from "../target.ts";
import { HTTP1_TOKENS, http1Messages, RESPONSE_SEEDS } from "./_http1.ts";

export const target: Target = {
  about: "HTTP/1 response heads: a value or a known code; written anew they are one response",
  seeds: RESPONSE_SEEDS,
  dictionary: HTTP1_TOKENS,
  generate: (random) => http1Messages(random, "response"),
  run(input) {
    const bytes = Buffer.from(input);
    const end = findHeadEnd(bytes, 0, bytes.length, 0);
    const head = end > 0 ? parseResponseHead(bytes, 0, end) : end;
    if (typeof head === "number") return holds(head === 0 || nameForCode(head) !== "unknown", `code ${head}`);
    const { block } = head;
    const framing = responseFraming(head, "GET", block.status);
    holds(framing !== FRAMING_LENGTH || head.contentLength > 0, "a body of no length");
    const sink = new ByteSink(64);
    const isChunked = framing === FRAMING_CHUNKED;
    const code = appendResponseHead(sink, block, head.reason, isChunked ? SEND_CHUNKED : 0, "");
    if (code < 0) return holds(nameForCode(code) !== "unknown", `code ${code}`);
    const body = isChunked
      ? "0\r\n\r\n"
      : framing === FRAMING_LENGTH
      ? "b".repeat(Math.min(head.contentLength, 1 << 16))
      : "";
    const written = Buffer.concat([sink.buffer.subarray(0, sink.length), Buffer.from(body)]);
    if (framing === FRAMING_LENGTH && head.contentLength > body.length) return;
    const { messages, rest } = readResponses(written, ["GET"], true);
    holds(rest === "", `written anew: ${rest}`);
    holds(
      messages.length === (block.status < 200 && block.status !== 101 ? 0 : 1),
      `written anew: ${messages.length} responses`,
    );
    const again = parseResponseHead(written, 0, sink.length);
    if (typeof again === "number") return holds(false, `what we write we refuse: ${nameForCode(again)}`);
    // `te: trailers` is kept for HTTP/2, where it is a field like others.
    const fields = block.fields.filter((_, i) => block.fields[i & ~1] !== "te");
    agree("status and fields", [block.status, fields], [again.block.status, again.block.fields]);
  },
};
