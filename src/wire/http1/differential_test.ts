/**
 * Our parser beside node:http's (llhttp, as the runtime brings it): where both accept a message, they must agree on where it
 * ends; where we accept what it refuses, the reason is listed. That it accepts more than we do is intended.
 */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import process from "node:process";
import fc from "fast-check";
import { latin1 } from "../../base/latin1.ts";
import { ChunkedDecoder, DATA, END } from "./chunked.ts";
import { FRAMING_CHUNKED } from "./framing.ts";
import { findHeadEnd, skipLeadingCrlf } from "./head_end.ts";
import { parseRequestHead } from "./request_head.ts";

/** Codes with which node:http refuses what we accept, and why we do. */
const ACCEPTED_BY_US: Readonly<Record<string, string>> = {
  HPE_INVALID_METHOD:
    "llhttp has a closed list of methods; RFC 9110 §9.1 lets any token be one, and the server decides",
};

interface ForeignParser {
  initialize(kind: number, resource: object): void;
  execute(bytes: Buffer): number | Error & { code: string };
  [event: number]: (...args: Buffer[]) => unknown;
}

interface ForeignParserClass {
  new (): ForeignParser;
  readonly REQUEST: number;
  readonly kOnHeadersComplete: number;
  readonly kOnBody: number;
  readonly kOnMessageComplete: number;
}

// The binding is not in the type declarations: it is how node:http itself reaches its parser.
const { HTTPParser } = (process as unknown as {
  binding(name: string): { HTTPParser: ForeignParserClass };
}).binding("http_parser");

interface Reading {
  /** "" or the code of the refusal. */
  refused: string;
  isComplete: boolean;
  body: string;
}

function readForeign(bytes: Buffer): Reading {
  const parser = new HTTPParser();
  parser.initialize(HTTPParser.REQUEST, {});
  const reading: Reading = { refused: "", isComplete: false, body: "" };
  parser[HTTPParser.kOnHeadersComplete] = () => 0;
  parser[HTTPParser.kOnBody] = (data) => reading.body += data?.toString("latin1");
  parser[HTTPParser.kOnMessageComplete] = () => reading.isComplete = true;
  const result = parser.execute(bytes);
  if (typeof result !== "number") reading.refused = result.code;
  return reading;
}

/** The first message of the bytes as we see it: where it ends and its body; null when refused or incomplete. */
function readOurs(bytes: Buffer): { end: number; body: string; isConnect: boolean } | null {
  const start = skipLeadingCrlf(bytes, 0, bytes.length);
  const headEnd = findHeadEnd(bytes, start, bytes.length, start);
  if (headEnd <= 0) return null;
  const head = parseRequestHead(bytes, start, headEnd);
  if (typeof head === "number") return null;
  const { isConnect } = head;
  if (head.framing !== FRAMING_CHUNKED) {
    const end = headEnd + head.contentLength;
    return end > bytes.length ? null : { end, body: latin1(bytes, headEnd, end), isConnect };
  }
  const decoder = new ChunkedDecoder();
  let body = "";
  decoder.position = headEnd;
  for (;;) {
    const event = decoder.next(bytes, decoder.position, bytes.length);
    if (event === DATA) body += latin1(bytes, decoder.dataStart, decoder.dataEnd);
    else return event === END ? { end: decoder.position, body, isConnect } : null;
  }
}

function compare(bytes: Buffer): void {
  const ours = readOurs(bytes);
  if (ours === null) return;
  const foreign = readForeign(bytes.subarray(0, ours.end));
  if (foreign.refused !== "") {
    expect(Object.keys(ACCEPTED_BY_US)).toContain(foreign.refused);
    return;
  }
  expect(foreign.isComplete).toBe(true);
  if (!ours.isConnect) expect(foreign.body).toBe(ours.body);
  // One byte less is not the whole message for either.
  const less = readForeign(bytes.subarray(0, ours.end - 1));
  if (less.refused === "") expect(less.isComplete && less.body === ours.body).toBe(false);
}

const vectors = `${import.meta.dirname}/../../../tests/vectors/http1/requests.json`;
const requestRows = JSON.parse(readFileSync(vectors, "latin1")) as { class: string; name: string; message: string }[]; // ours

test.each(requestRows)("both parsers end the message at the same byte: $class: $name", ({ message }) => {
  compare(Buffer.from(message, "latin1"));
});

const line = fc.constantFrom(
  "GET / HTTP/1.1",
  "POST /a HTTP/1.1",
  "POST /a HTTP/1.0",
  "PUT http://a/ HTTP/1.1",
  "HEAD / HTTP/1.1",
);
const fieldLines = fc.subarray([
  "Content-Length: 3",
  "Content-Length: 0",
  "Content-Length: 03",
  "Content-Length: 3,3",
  "Content-Length : 3",
  "Transfer-Encoding: chunked",
  "Transfer-Encoding: Chunked",
  "transfer-encoding:\tchunked ",
  "Transfer-Encoding: x",
  "Transfer-Encoding: gzip, chunked",
  "Transfer-Encoding: \x0bchunked",
  "Transfer-Encoding:",
  " chunked",
  "Connection: close",
  "Connection: keep-alive, content-length",
  "Connection: upgrade",
  "Expect: 100-continue",
  "X: \u00ff",
  "X:",
], { maxLength: 3 });
const lineEnd = fc.oneof(
  { weight: 40, arbitrary: fc.constant("\r\n") },
  { weight: 1, arbitrary: fc.constantFrom("\n", "\r", "\r\r\n", "\n\r", " \r\n") },
);
const bodyText = fc.constantFrom(
  ...[
    "",
    "abc",
    "abcGET / HTTP/1.1\r\nHost: b\r\n\r\n",
    "0\r\n\r\n",
    "3\r\nabc\r\n0\r\n\r\n",
    "3;x=y\r\nabc\r\n0\r\n\r\n",
  ],
  ...[
    "3;\nabc\r\n0\r\n\r\n",
    "3 \r\nabc\r\n0\r\n\r\n",
    "3\r\nabc\n0\r\n\r\n",
    "3\r\nabc\r\n0\r\nT: x\r\n\r\n",
    "03\r\nabc\r\n00\r\n\r\n",
  ],
  ...[
    "3\r\nabcd\r\n0\r\n\r\n",
    "0x3\r\nabc\r\n0\r\n\r\n",
    "3\r\nabc\r\n0\r\n\n",
    "3\nabc\r\n0\r\n\r\n",
    "-1\r\nabc\r\n0\r\n\r\n",
  ],
);

test("both parsers end any mixture of suspicious parts at the same byte, or we refuse it", () => {
  fc.assert(
    fc.property(
      line,
      fieldLines,
      fc.array(lineEnd, { minLength: 8, maxLength: 8 }),
      bodyText,
      (start, fields, ends, body) => {
        const lines = [start, "Host: a", ...fields, ""];
        compare(Buffer.from(lines.map((text, i) => text + ends[i]).join("") + body, "latin1"));
      },
    ),
    { numRuns: 6000 },
  );
});
