import { expect, test } from "bun:test";
import fc from "fast-check";
import { ByteSink } from "../../base/byte_sink.ts";
import { headerBlock, NO_START } from "../header_block.ts";
import { nameForCode } from "./error_code.ts";
import { FRAMING_CHUNKED } from "./framing.ts";
import { findHeadEnd } from "./head_end.ts";
import { parseRequestHead } from "./request_head.ts";
import { parseResponseHead } from "./response_head.ts";
import {
  appendRequestHead,
  appendResponseHead,
  SEND_ABSOLUTE_FORM,
  SEND_CHUNKED,
  SEND_CLOSE,
  SEND_HTTP10,
  SEND_KEEP_ALIVE,
  SEND_TE_TRAILERS,
} from "./serialize.ts";

/** Pieces from which heads are glued: mostly sane, with what smugglers use in between. */
const piece = fc.constantFrom(
  ...[
    "GET / HTTP/1.1\r\n",
    "HTTP/1.1 200 OK\r\n",
    "Host: a\r\n",
    "Content-Length: 5\r\n",
    "Transfer-Encoding: chunked\r\n",
  ],
  ...[
    "Connection: close, x\r\n",
    "X: y\r\n",
    "\r\n",
    "\n",
    "\r",
    " ",
    "\t",
    ":",
    "\0",
    "\x7f",
    "\u00ff",
    "x",
    "5",
    ",",
  ],
  ...["Upgrade: h2c\r\n", "TE: trailers\r\n", "CONNECT a:1 HTTP/1.1\r\n", "GET http://a HTTP/1.0\r\n", "Connection:"],
);
const glued = fc.array(piece, { maxLength: 14 }).map((p) => Buffer.from(`${p.join("")}\r\n\r\n`, "latin1"));
const random = fc.uint8Array({ maxLength: 100 }).map((b) => Buffer.concat([b, Buffer.from("\r\n\r\n")]));

test("parsers give a value or a known code for any bytes", () => {
  fc.assert(
    fc.property(fc.oneof(glued, random), fc.nat(120), (buf, cut) => {
      for (const parse of [parseRequestHead, parseResponseHead]) {
        for (const end of [buf.length, Math.min(cut, buf.length)]) {
          const head = parse(buf, 0, end);
          if (typeof head !== "number") continue;
          expect(head).toBeLessThan(0);
          expect(nameForCode(head)).not.toBe("unknown");
        }
      }
    }),
    { numRuns: 3000 },
  );
});

test("accepted heads carry no line break, no hop-by-hop field and one framing", () => {
  const forbidden = ["connection", "keep-alive", "transfer-encoding", "upgrade", "http2-settings", "host"];
  fc.assert(
    fc.property(glued, (buf) => {
      const head = parseRequestHead(buf, 0, buf.length);
      if (typeof head === "number") return;
      const { fields, path, authority, method, contentLength } = head.block;
      for (const text of [...fields, path, authority, method]) expect(text).not.toMatch(/[\r\n\0]/);
      for (let i = 0; i < fields.length; i += 2) expect(forbidden).not.toContain(fields[i] as string);
      if (head.framing === FRAMING_CHUNKED) expect(contentLength).toBe(-1);
    }),
    { numRuns: 2000 },
  );
});

const tokenChar = fc.constantFrom(..."abcxyz019-_!#$%&'*+.^`|~");
const name = fc.string({ unit: tokenChar, minLength: 1, maxLength: 12 }).map((n) => `x${n}`);
const valueChar = fc.constantFrom(...'abc XYZ,;="\t019\u00e9\u00ff');
const value = fc.string({ unit: valueChar, maxLength: 20 }).map((v) => v.replace(/^[ \t]+|[ \t]+$/g, ""));
const fields = fc.array(fc.tuple(name, value), { maxLength: 12 }).map((pairs) => pairs.flat());
const path = fc.string({ unit: fc.constantFrom(..."abc/?=&%20[]{}|\\^:@"), maxLength: 30 }).map((p) => `/${p}`);
const authority = fc.constantFrom("", "a", "shop.svc:8080", "10.0.0.1", "[::1]:80", "[fe80::1%25e]");
const startLine = fc.record({
  method: fc.constantFrom("GET", "POST", "BREW", "m-search"),
  scheme: fc.constant("http"),
  authority,
  path,
  protocol: fc.constant(""),
  status: fc.constant(0),
});

test("parseRequestHead(appendRequestHead(x)) is x", () => {
  const bits = fc.nat(SEND_CLOSE | SEND_KEEP_ALIVE | SEND_CHUNKED | SEND_TE_TRAILERS);
  const length = fc.option(fc.nat(), { nil: null });
  fc.assert(
    fc.property(startLine, fields, bits, length, fc.boolean(), fc.boolean(), (start, list, low, n, old, absolute) => {
      const sent = n === null ? list : [...list, "content-length", String(n)];
      const block = headerBlock(start, sent);
      let all = low;
      if (n !== null || old) all &= ~SEND_CHUNKED;
      if (old) all |= SEND_HTTP10;
      if (absolute && start.authority !== "") all |= SEND_ABSOLUTE_FORM;
      const sink = new ByteSink(0);
      expect(appendRequestHead(sink, block, all, "")).toBe(0);
      expect(findHeadEnd(sink.buffer, 0, sink.length, 0)).toBe(sink.length);
      const head = parseRequestHead(sink.buffer, 0, sink.length);
      if (typeof head === "number") throw new Error(nameForCode(head));
      const te = (all & SEND_TE_TRAILERS) !== 0 ? ["te", "trailers"] : [];
      expect(head.block).toMatchObject(headerBlock(start, [...sent, ...te]));
      expect(head.framing === FRAMING_CHUNKED).toBe((all & SEND_CHUNKED) !== 0);
      expect(head.minorVersion).toBe(old ? 0 : 1);
      expect(head.isAbsoluteForm).toBe((all & SEND_ABSOLUTE_FORM) !== 0);
      const close = (all & SEND_CLOSE) !== 0;
      expect(head.keepAlive).toBe(!close && (!old || (all & SEND_KEEP_ALIVE) !== 0));
    }),
    { numRuns: 500 },
  );
});

test("parseResponseHead(appendResponseHead(x)) is x", () => {
  const status = fc.integer({ min: 200, max: 999 });
  fc.assert(
    fc.property(status, fields, value, (code, list, reason) => {
      const block = headerBlock({ ...NO_START, status: code }, list);
      const sink = new ByteSink(0);
      expect(appendResponseHead(sink, block, reason, SEND_CHUNKED, "")).toBe(0);
      const head = parseResponseHead(sink.buffer, 0, sink.length);
      if (typeof head === "number") throw new Error(nameForCode(head));
      expect(head.block).toMatchObject(headerBlock({ ...NO_START, status: code }, list));
      if (reason !== "") expect(head.reason).toBe(reason);
      expect(head.framing).toBe(FRAMING_CHUNKED);
    }),
    { numRuns: 300 },
  );
});

const anything = fc.string({ unit: fc.constantFrom(..."ab/: \r\n\0\u010a\u010d#"), maxLength: 12 });

test("appendRequestHead() never writes more than the one head it was asked for", () => {
  fc.assert(
    fc.property(anything, anything, anything, anything, anything, (method, host, target, key, text) => {
      const start = { ...NO_START, method: method || "GET", scheme: "http", authority: host, path: `/${target}` };
      const sink = new ByteSink(0);
      if (appendRequestHead(sink, headerBlock(start, [key, text]), 0, "") < 0) return;
      expect(findHeadEnd(sink.buffer, 0, sink.length, 0)).toBe(sink.length);
      const lines = Buffer.from(sink.buffer.buffer, 0, sink.length).toString("latin1").split(/[\r\n]+/);
      expect(lines.length).toBe(4); // request line, Host, the field, and what follows the last break
    }),
    { numRuns: 3000 },
  );
});

/** Milliseconds of CPU for a number of parses, the best of three: what others do on the machine does not count. */
function timeOf(head: Buffer): number {
  let best = Infinity;
  for (let round = 0; round < 3; round++) {
    const before = process.cpuUsage();
    for (let i = 0; i < 40; i++) parseRequestHead(head, 0, head.length);
    const { user, system } = process.cpuUsage(before);
    best = Math.min(best, (user + system) / 1000);
  }
  return best;
}

const GROWING: [string, (n: number) => string][] = [
  ["one long value", (n) => `X: ${"a".repeat(n)}\r\n`],
  ["one long name", (n) => `${"a".repeat(n)}: x\r\n`],
  ["white space behind a value", (n) => `X: a${" ".repeat(n)}\r\n`],
  ["white space inside a value", (n) => `X: a${" ".repeat(n)}b\r\n`],
  ["many commas in TE", (n) => `TE: ${",".repeat(n)}\r\n`],
  ["many commas in Upgrade", (n) => `Connection: upgrade\r\nUpgrade: ${"a,".repeat(n / 2)}\r\n`],
  ["many commas in Connection", (n) => `Connection: ${",".repeat(n)}\r\n`],
  ["many codings", (n) => `Transfer-Encoding: ${"a,".repeat(n / 2)}b\r\n`],
];
test.each(GROWING)("parseRequestHead() takes linear time for %s", (_, text) => {
  const make = (n: number) => Buffer.from(`GET / HTTP/1.1\r\nHost: a\r\n${text(n)}\r\n`, "latin1");
  timeOf(make(4000));
  const small = timeOf(make(4000));
  const big = timeOf(make(60_000));
  // 15 times the bytes; quadratic growth would be 225 times. Half a millisecond covers the clock and the collector.
  expect(big).toBeLessThan(75 * small + 0.5);
});
