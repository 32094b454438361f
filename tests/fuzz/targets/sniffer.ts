import { classify, MAX_SNIFF_BYTES } from "../../../src/proxy/detect/classify.ts";
import { findHeadEnd, skipLeadingCrlf } from "../../../src/wire/http1/head_end.ts";
import { parseRequestHead } from "../../../src/wire/http1/request_head.ts";
import { agree, holds, type Target } from "../target.ts";
import { HTTP1_TOKENS, http1Messages, REQUEST_SEEDS } from "./_http1.ts";

const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

export const target: Target = {
  about:
    "detection: decided once and for all by the first bytes that decide, never later than it may; what is HTTP is called so",
  seeds: [
    ...REQUEST_SEEDS.filter((_, at) => at % 4 === 0),
    PREFACE,
    "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "SSH-2.0-x\r\n",
    "*1\r\n$4\r\nPING\r\n",
    "\x00\x00\x00\x08\x04\xd2\x16\x2f",
  ],
  dictionary: [...HTTP1_TOKENS, PREFACE, "PRI * HTTP/2.0\r\n\r\n", "\x16\x03\x01"],
  maxBytes: 1500,
  generate: (random) => http1Messages(random, "request"),
  run(input) {
    let decided = "more";
    for (let length = 0; length <= input.length; length++) {
      const kind = classify(input, length);
      if (decided === "more") decided = kind;
      else agree("the protocol, when more bytes come", kind, decided);
    }
    holds(decided !== "more" || input.length < MAX_SNIFF_BYTES, "undecided for too long");
    const start = skipLeadingCrlf(input, 0, input.length);
    const end = start > 0 ? 0 : findHeadEnd(input, start, input.length, start);
    if (end <= 0 || typeof parseRequestHead(input, start, end) === "number") return;
    if (/^[A-Za-z0-9_-]{1,24} /.test(Buffer.from(input.subarray(0, 26)).toString("latin1"))) {
      agree("a request head", decided, "http1");
    }
  },
};
