import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { latin1 } from "../../base/latin1.ts";
import { ChunkedDecoder, DATA, END } from "./chunked.ts";
import { nameForCode } from "./error_code.ts";
import { FRAMING_CHUNKED } from "./framing.ts";
import { findHeadEnd, skipLeadingCrlf } from "./head_end.ts";
import { parseRequestHead } from "./request_head.ts";
import { parseResponseHead } from "./response_head.ts";

/** A row of tests/vectors/http1: what must happen to these bytes (one per character). */
interface Row {
  readonly name: string;
  readonly class: string;
  readonly message: string;
  /** `accepted`, `incomplete`, or the name of the error code. */
  readonly expect: string;
  readonly body?: string;
  /** Bytes behind the message: where two parsers that disagree would see different requests. */
  readonly rest?: string;
  readonly authority?: string;
  readonly framing?: string;
  readonly trailers?: readonly string[];
}

function rows(file: string): Row[] {
  const path = `${import.meta.dirname}/../../../tests/vectors/http1/${file}.json`;
  return JSON.parse(readFileSync(path, "latin1")) as Row[]; // our own files
}

interface Body {
  verdict: string;
  body: string;
  rest: string;
  trailers: readonly string[];
}

function readChunked(buf: Buffer, start: number): Body {
  const decoder = new ChunkedDecoder();
  let body = "";
  let pos = start;
  for (;;) {
    const event = decoder.next(buf, pos, buf.length);
    pos = decoder.position;
    if (event === DATA) body += latin1(buf, decoder.dataStart, decoder.dataEnd);
    else if (event === END) {
      return {
        verdict: "accepted",
        body,
        rest: latin1(buf, pos, buf.length),
        trailers: decoder.trailers?.fields ?? [],
      };
    } else return { verdict: event < 0 ? nameForCode(event) : "incomplete", body, rest: "", trailers: [] };
  }
}

function readRequest(text: string): Body & { authority: string } {
  const buf = Buffer.from(text, "latin1");
  const refused = (code: number) => ({
    verdict: code === 0 ? "incomplete" : nameForCode(code),
    body: "",
    rest: "",
    trailers: [],
    authority: "",
  });
  const start = skipLeadingCrlf(buf, 0, buf.length);
  const headEnd = findHeadEnd(buf, start, buf.length, start);
  if (headEnd <= 0) return refused(headEnd);
  const head = parseRequestHead(buf, start, headEnd);
  if (typeof head === "number") return refused(head);
  const { authority } = head.block;
  if (head.framing === FRAMING_CHUNKED) return { ...readChunked(buf, headEnd), authority };
  const end = headEnd + head.contentLength;
  const body = latin1(buf, headEnd, end);
  return { verdict: "accepted", body, rest: latin1(buf, end, buf.length), trailers: [], authority };
}

/** The parts of a result that the row speaks about. */
function asked(row: Row, result: Partial<Body> & { authority?: string }): object {
  const out: Record<string, unknown> = { verdict: result.verdict };
  for (const key of ["body", "rest", "trailers", "authority"] as const) if (key in row) out[key] = result[key];
  return out;
}

function wanted(row: Row): object {
  return asked(row, { ...row, verdict: row.expect });
}

test.each(rows("requests"))("request $class: $name", (row) => {
  expect(asked(row, readRequest(row.message))).toEqual(wanted(row));
});

test.each(rows("chunked"))("chunked $class: $name", (row) => {
  expect(asked(row, readChunked(Buffer.from(row.message, "latin1"), 0))).toEqual(wanted(row));
});

const FRAMING_NAMES = ["none", "length", "chunked", "until_close"];

test.each(rows("responses"))("response $class: $name", (row) => {
  const buf = Buffer.from(row.message, "latin1");
  const headEnd = findHeadEnd(buf, 0, buf.length, 0);
  const head = headEnd > 0 ? parseResponseHead(buf, 0, headEnd) : headEnd;
  const verdict = typeof head !== "number" ? "accepted" : nameForCode(head);
  expect(verdict).toBe(row.expect);
  if (typeof head !== "number") expect(FRAMING_NAMES[head.framing]).toBe(row.framing as string); // accepted rows have it
});
