/** Fields of one connection, and what a sender can make a proxy take away with them. */
import { CANARY, chunked, length, request, type RequestVariant, type Row, table, TARGET } from "./variant.ts";

const HOP = "RFC 9110 §7.6.1: Connection names fields of this connection; never those that the recipient acts by";
const OLD = "RFC 9112 §6.1, §9.3: HTTP/1.0 has no Transfer-Encoding and does not persist by itself";

const POST_BODY = `abcde${CANARY}`;

function nominated(name: string, option: string, lines: string, mark: string, passes: string): Row {
  return [name, request(`Connection: ${option}\r\n${lines}${length(POST_BODY)}`, POST_BODY), mark, passes];
}

const PROTECTED = "=protected: the field stays whatever Connection names";
const GONE = "~the connection's own fields end here";

const GET = `GET ${TARGET} HTTP/1.1`;

export const CONNECTION: readonly RequestVariant[] = [
  ...table("hop-by-hop", HOP, [
    nominated("Content-Length named", "content-length", "", "Content-Length: 42", PROTECTED),
    nominated("Content-Length named in capitals", "CONTENT-LENGTH", "", "Content-Length: 42", PROTECTED),
    nominated("Content-Length among others", "close, content-length", "", "Content-Length: 42", PROTECTED),
    nominated("Host named", "host", "", "Host: web", PROTECTED),
    nominated(
      "Authorization named",
      "authorization",
      "Authorization: Basic YTpi\r\n",
      "Authorization: Basic",
      PROTECTED,
    ),
    nominated("Cookie named", "cookie", "Cookie: a=b\r\n", "Cookie: a=b", PROTECTED),
    nominated("X-Forwarded-For named", "x-forwarded-for", "X-Forwarded-For: 1.2.3.4\r\n", "X-Forwarded-For", PROTECTED),
    nominated("Content-Type named", "content-type", "Content-Type: a/b\r\n", "Content-Type: a/b", PROTECTED),
    nominated("Expect named", "expect", "Expect: 100-continue\r\n", "Expect: 100-continue", PROTECTED),
    nominated(
      "the mesh's identity sent by the client",
      "close",
      "Tulle-Client-Id: evil\r\n",
      "Tulle-Client-Id: evil",
      "~only the mesh says who a client is",
    ),
    nominated("an ordinary field named", "x-a", "X-A: 1\r\n", "X-A: 1", GONE),
    nominated("Keep-Alive", "keep-alive", "Keep-Alive: timeout=5\r\n", "Keep-Alive: timeout", GONE),
    nominated("Proxy-Connection", "close", "Proxy-Connection: keep-alive\r\n", "Proxy-Connection", GONE),
    nominated("TE", "te", "TE: trailers, deflate\r\n", "deflate", GONE),
    nominated("TE: chunked", "te", "TE: chunked\r\n", "TE: chunked", GONE),
    nominated("HTTP2-Settings", "http2-settings", "HTTP2-Settings: AAMAAABkAARAAAAA\r\n", "HTTP2-Settings", GONE),
    nominated("empty", "", "", "Connection: \r\n", GONE),
    nominated("commas alone", ",,,", "", ",,,", GONE),
    nominated("no token", "a b;c", "", "a b;c", GONE),
    [
      "Transfer-Encoding named",
      request("Connection: transfer-encoding\r\nTransfer-Encoding: chunked\r\n", chunked(CANARY)),
      "Connection: transfer-encoding",
      GONE,
    ],
    [
      "Transfer-Encoding named, in capitals",
      request("Connection: TRANSFER-ENCODING\r\nTransfer-Encoding: chunked\r\n", chunked(CANARY)),
      "Connection: T",
      GONE,
    ],
    [
      "Transfer-Encoding named beside a length",
      request(`Connection: transfer-encoding\r\nTransfer-Encoding: chunked\r\n${length(POST_BODY)}`, POST_BODY),
      "Connection: t",
    ],
    [
      "Content-Length named beside chunked",
      request(`Connection: content-length\r\nTransfer-Encoding: chunked\r\n${length(POST_BODY)}`, POST_BODY),
      "Connection: c",
    ],
    ["space before the colon", request("Connection : close\r\n", "", GET), "Connection :"],
    ["a fold", request("Connection: close,\r\n content-length\r\n", "", GET), ",\r\n c"],
    ["100 options", request(`Connection: ${"a, ".repeat(100)}b\r\n`, "", GET), "a, a"],
    ["keep-alive and close", request("Connection: keep-alive, close\r\n", "", GET), "keep-alive, close", GONE],
    ["twice", request("Connection: x-a\r\nConnection: x-b\r\nX-A: 1\r\nX-B: 2\r\n", "", GET), "X-B: 2", GONE],
  ]),
  ...table("HTTP/1.0", OLD, [
    [
      "chunked",
      request("Transfer-Encoding: chunked\r\n", chunked(CANARY), `POST ${TARGET} HTTP/1.0`),
      "Transfer-Encoding",
    ],
    [
      "chunked, kept alive",
      request("Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n", chunked(CANARY), `POST ${TARGET} HTTP/1.0`),
      "Transfer-Encoding",
    ],
    [
      "chunked beside a length",
      request(`Transfer-Encoding: chunked\r\n${length(POST_BODY)}`, POST_BODY, `POST ${TARGET} HTTP/1.0`),
      "Transfer-Encoding",
    ],
    ["identity", request("Transfer-Encoding: identity\r\n", "", `GET ${TARGET} HTTP/1.0`), "Transfer-Encoding"],
    [
      "a length",
      request(length(POST_BODY), POST_BODY, `POST ${TARGET} HTTP/1.0`),
      "HTTP/1.0",
      "=a plain request with a length",
    ],
    [
      "a length, kept alive",
      request(`Connection: keep-alive\r\n${length(POST_BODY)}`, POST_BODY, `POST ${TARGET} HTTP/1.0`),
      "Connection: keep-alive",
      "~kept alive with the client; its version goes on",
    ],
    [
      "a body without a length: the next request is not read",
      request("", CANARY, `POST ${TARGET} HTTP/1.0`),
      CANARY,
      "~without a length there is no body, and the connection closes behind the answer",
    ],
    ["without Host", `GET ${TARGET} HTTP/1.0\r\n\r\n`, "HTTP/1.0", "=HTTP/1.0 needs no Host"],
    [
      "Expect",
      request(`Expect: 100-continue\r\n${length("abc")}`, "abc", `POST ${TARGET} HTTP/1.0`),
      "Expect",
      "=HTTP/1.0 has no 100; the field is passed on",
    ],
    [
      "Upgrade",
      request("Connection: upgrade\r\nUpgrade: websocket\r\n", "", `GET ${TARGET} HTTP/1.0`),
      "Upgrade: websocket",
      "~RFC 9110 §7.8: ignored in HTTP/1.0",
    ],
  ]),
];
