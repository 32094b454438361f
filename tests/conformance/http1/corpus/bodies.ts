/** Messages that are plainly right, with bodies where some recipients expect none; and pipelining. */
import {
  CANARY,
  chunked,
  expectation,
  HOST,
  length,
  request,
  type RequestVariant,
  type Row,
  table,
  TARGET,
} from "./variant.ts";

const RULE = "RFC 9112 §6.3: a request has the body that its framing announces, whatever its method";
const ORDER = "RFC 9112 §9.3.2: pipelined requests are answered in order";

const PLAIN = "=a plain request: the body is a body, whatever it holds";

function withLength(method: string): Row {
  return [`${method} with a length`, request(length(CANARY), CANARY, `${method} ${TARGET} HTTP/1.1`), CANARY, PLAIN];
}

function withChunks(method: string): Row {
  const bytes = request("Transfer-Encoding: chunked\r\n", chunked(CANARY), `${method} ${TARGET} HTTP/1.1`);
  return [`${method} with chunks`, bytes, "Transfer-Encoding: chunked", PLAIN];
}

const METHODS = ["GET", "HEAD", "DELETE", "OPTIONS", "TRACE", "PUT", "PATCH", "FROBNICATE"];

function pipelined(
  name: string,
  bytes: string,
  targets: readonly string[],
  passes = "=plain requests in order",
): RequestVariant {
  return { class: "pipelining", name, bytes: [bytes], mark: TARGET, rule: ORDER, targets, expect: expectation(passes) };
}

const GET = (n: string) => request("", "", `GET ${TARGET}${n} HTTP/1.1`);
const POST = (n: string) => request(length(CANARY), CANARY, `POST ${TARGET}${n} HTTP/1.1`);

export const BODIES: readonly RequestVariant[] = [
  ...table("bodies", RULE, [
    ...METHODS.map(withLength),
    ...METHODS.map(withChunks),
    ["POST without any framing", request("", ""), "Host: web\r\n\r\n", "~an empty body is said to be one"],
    ["POST with length 0", request("Content-Length: 0\r\n"), "Content-Length: 0", "=a plain request"],
    [
      "GET with length 0",
      request("Content-Length: 0\r\n", "", `GET ${TARGET} HTTP/1.1`),
      "Content-Length: 0",
      "=a plain request",
    ],
    [
      "CL.0: a second request behind length 0 is a request",
      request("Content-Length: 0\r\n"),
      "Content-Length: 0",
      "=a plain request",
    ],
    [
      "chunks without data",
      request("Transfer-Encoding: chunked\r\n", "0\r\n\r\n"),
      "0\r\n\r\n",
      "=an empty chunked body",
    ],
    ["a body of bare CR and LF", request(length("\r\n\n\r\0\r\n"), "\r\n\n\r\0\r\n"), "\r\n\n\r\0\r\n", PLAIN],
    [
      "chunk data that looks like chunks",
      request("Transfer-Encoding: chunked\r\n", chunked("0\r\n\r\n0\r\n\r\n")),
      "0\r\n\r\n0\r\n\r\n",
      PLAIN,
    ],
    [
      "X-HTTP-Method-Override",
      request("X-HTTP-Method-Override: CONNECT\r\n", "", `GET ${TARGET} HTTP/1.1`),
      "X-HTTP-Method-Override: CONNECT",
      "=another field",
    ],
    [
      "Content-Encoding: gzip on text",
      request(`Content-Encoding: gzip\r\n${length("abc")}`, "abc"),
      "Content-Encoding: gzip",
      "=says nothing about framing",
    ],
    [
      "Content-Type multipart with its own lines",
      request(
        `Content-Type: multipart/mixed; boundary=x\r\n${length(`--x\r\n\r\n${CANARY}--x--`)}`,
        `--x\r\n\r\n${CANARY}--x--`,
      ),
      "multipart/mixed",
      PLAIN,
    ],
    ["the body ends in half of a line end", request(length("abc\r"), "abc\r"), "abc\r", PLAIN],
    [
      "Content-Length in a Warning field",
      request('Warning: 199 - "Content-Length: 37"\r\n', "", `GET ${TARGET} HTTP/1.1`),
      "Content-Length: 37",
      "=text inside a value",
    ],
  ]),
  pipelined("two at once", GET("a") + GET("b"), [`${TARGET}a`, `${TARGET}b`]),
  pipelined("three with bodies", POST("a") + POST("b") + POST("c"), ["a", "b", "c"].map((n) => TARGET + n)),
  pipelined(
    "HEAD between others",
    GET("a") + request("", "", `HEAD ${TARGET}b HTTP/1.1`) + GET("c"),
    ["a", "b", "c"].map((n) => TARGET + n),
  ),
  pipelined(
    "chunked, then plain",
    request("Transfer-Encoding: chunked\r\n", chunked("x"), `POST ${TARGET}a HTTP/1.1`) + GET("b"),
    ["a", "b"].map((n) => TARGET + n),
  ),
  pipelined("an empty line between", `${GET("a")}\r\n${GET("b")}`, ["a", "b"].map((n) => TARGET + n)),
  pipelined(
    "an empty line behind a body (old browsers)",
    `${POST("a")}\r\n${GET("b")}`,
    ["a", "b"].map((n) => TARGET + n),
  ),
  pipelined(
    "close in the first: the second is not read",
    `GET ${TARGET}a HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n${CANARY}`,
    [`${TARGET}a`],
    "=the connection ends behind the answer",
  ),
  pipelined(
    "a malformed second",
    `${GET("a")}GET /c@@@@ HTTP/1.1\r\nHost: web\r\nX : 1\r\n\r\n`,
    [`${TARGET}a`],
    "=the first is right, the second is refused",
  ),
  pipelined(
    "garbage behind the first",
    `${GET("a")}\0\0\0\0${CANARY}`,
    [`${TARGET}a`],
    "=the first is right, the rest is refused",
  ),
  pipelined(
    "HTTP/2's preface behind the first",
    `${GET("a")}PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${CANARY}`,
    [`${TARGET}a`],
    "=the first is right, the rest is refused",
  ),
];
