import { expect, test } from "bun:test";
import fc from "fast-check";
import { looksLikeHttp1, MAYBE, NO, YES } from "./detect.ts";
import { findHeadEnd } from "./head_end.ts";
import { MAX_DETECT_BYTES } from "./limits.ts";
import { parseRequestHead } from "./request_head.ts";

function detect(text: string): number {
  const buf = Buffer.from(text, "latin1");
  return looksLikeHttp1(buf, 0, buf.length);
}

const HTTP = [
  "GET / HTTP/1.1\r\n",
  "POST /a?b HTTP/1.0\r\nHost: a\r\n",
  "OPTIONS * HTTP/1.1\r\n",
  "CONNECT db.shop:5432 HTTP/1.1\r\n",
  "CONNECT [::1]:80 HTTP/1.1\r\n",
  "GET http://a/b HTTP/1.1\r\n",
  "VERSION-CONTROL /a HTTP/1.1\r\n",
  "get / HTTP/1.",
];
test.each(HTTP)("looksLikeHttp1() says YES to %j and MAYBE to its beginnings", (text) => {
  expect(detect(text)).toBe(YES);
  const sure = text.indexOf(" HTTP/1.") + 8;
  for (let n = 0; n < sure; n++) expect(detect(text.slice(0, n))).toBe(MAYBE);
});

/** First bytes of other protocols; the number is after how many of them NO must be said. */
const OTHERS: [string, string, number][] = [
  ["TLS ClientHello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 1],
  ["HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 5],
  ["Redis RESP", "*1\r\n$4\r\nPING\r\n", 1],
  ["Redis inline PING", "PING\r\n", 5],
  ["Redis inline GET", "GET key\r\n", 5],
  ["Redis inline GET of a path", "GET /a\r\n", 7],
  ["Redis inline SET", "SET /a b\r\n", 8],
  ["memcached text", "set key 0 60 5\r\n", 5],
  ["PostgreSQL startup", "\x00\x00\x00\x29\x00\x03\x00\x00user\x00", 1],
  ["PostgreSQL SSLRequest", "\x00\x00\x00\x08\x04\xd2\x16\x2f", 1],
  ["MySQL handshake response", "\x55\x00\x00\x01\x85\xa6\xff\x01", 2],
  ["SSH", "SSH-2.0-OpenSSH_9.2\r\n", 6],
  ["SMTP", "EHLO mail.shop\r\n", 6],
  ["FTP", "USER anonymous\r\n", 6],
  ["IMAP", "a001 LOGIN user pass\r\n", 6],
  ["MQTT", "\x10\x0c\x00\x04MQTT", 1],
  ["AMQP", "AMQP\x00\x00\x09\x01", 5],
  ["Kafka", "\x00\x00\x00\x23\x00\x12\x00\x03", 1],
  ["NATS", 'CONNECT {"verbose":false}\r\n', 9],
  ["STOMP", "CONNECT\naccept-version:1.2\n", 8],
  ["MongoDB", "\x41\x00\x00\x00\x01\x00\x00\x00", 2],
  ["PROXY protocol", "PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n", 7],
  ["SIP", "INVITE sip:a@b SIP/2.0\r\n", 8],
  ["RTSP", "OPTIONS rtsp://a/b RTSP/1.0\r\n", 9],
  ["RTSP asterisk", "OPTIONS * RTSP/1.0\r\n", 11],
  ["HTTP/0.9", "GET /index\r\n", 11],
];
test.each(OTHERS)("looksLikeHttp1() says NO to %s", (_, text, bytes) => {
  expect(detect(text)).toBe(NO);
  expect(detect(text.slice(0, bytes))).toBe(NO);
});

test("looksLikeHttp1() is never undecided with MAX_DETECT_BYTES", () => {
  expect(detect("GET /" + "a".repeat(MAX_DETECT_BYTES))).toBe(YES);
  expect(detect("SET /" + "a".repeat(MAX_DETECT_BYTES))).toBe(NO);
  expect(detect("M".repeat(25))).toBe(NO);
  const line = `PUT /${"a".repeat(MAX_DETECT_BYTES - 12)} HTT`;
  for (let n = 0; n < 9; n++) {
    expect(detect(`PUT /${"a".repeat(MAX_DETECT_BYTES - n)}${" HTTP/1.".slice(0, n)}`)).toBe(YES);
  }
  expect(detect(line)).toBe(line.length < MAX_DETECT_BYTES ? MAYBE : YES);
});

const anyBytes = fc.uint8Array({ maxLength: 60 }).map((b) => Buffer.from(b).toString("latin1"));
const nearRequest = fc.tuple(
  fc.constantFrom("GET", "POST", "CONNECT", "OPTIONS", "XX", "g-t"),
  fc.constantFrom(" ", "  ", "\t", ""),
  fc.constantFrom("/", "/a", "*", "http://a", "a:80", "h", "#"),
  fc.constantFrom(" HTTP/1.1\r\n", " HTTP/2.0\r\n", "\r\n", " HTTP/1.1\n", " x"),
).map((parts) => parts.join(""));

test("looksLikeHttp1() never takes NO back when more bytes come", () => {
  fc.assert(
    fc.property(fc.oneof(anyBytes, nearRequest), (text) => {
      let said = MAYBE;
      for (let n = 0; n <= text.length; n++) {
        const now = detect(text.slice(0, n));
        if (said !== MAYBE) expect(now).toBe(said);
        said = now;
      }
    }),
    { numRuns: 1000 },
  );
});

test("looksLikeHttp1() says YES to every head that the parser accepts", () => {
  fc.assert(
    fc.property(nearRequest, (line) => {
      const buf = Buffer.from(`${line}Host: a\r\n\r\n`, "latin1");
      const headEnd = findHeadEnd(buf, 0, buf.length, 0);
      if (headEnd <= 0 || typeof parseRequestHead(buf, 0, headEnd) === "number") return;
      expect(looksLikeHttp1(buf, 0, buf.length)).toBe(YES);
    }),
    { numRuns: 500 },
  );
});
