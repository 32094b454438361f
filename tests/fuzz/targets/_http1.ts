/** Parts of HTTP/1.1 messages, for the targets that read them. */
import { RESPONSES } from "../../conformance/http1/corpus/responses.ts";
import { REQUESTS } from "../../conformance/http1/corpus/requests.ts";
import { withNumber } from "../../conformance/http1/corpus/variant.ts";
import type { Random } from "../random.ts";

/** Longest seed: a few rows of the corpus are long on purpose. */
const MAX_SEED = 600;

/** One of each class of the smuggling corpus, and every tenth row. */
export const REQUEST_SEEDS: readonly string[] = REQUESTS
  .filter((row, at) => at % 10 === 0 || REQUESTS[at - 1]?.class !== row.class)
  .map((row) => withNumber(row.bytes.join(""), 1)).filter((text) => text.length <= MAX_SEED);
export const RESPONSE_SEEDS: readonly string[] = RESPONSES
  .filter((row, at) => at % 4 === 0 || RESPONSES[at - 1]?.class !== row.class)
  .map((row) => withNumber(row.answer.bytes, 1)).filter((text) => text.length <= MAX_SEED);

const LINES = [
  ...["Content-Length: 3", "Content-Length: 0", "Content-Length: 03", "Content-Length: 3,3", "Content-Length : 3"],
  ...[
    "Transfer-Encoding: chunked",
    "transfer-encoding:\tChunked ",
    "Transfer-Encoding: x",
    "Transfer-Encoding: gzip, chunked",
  ],
  ...[
    "Transfer-Encoding: \x0bchunked",
    "Transfer-Encoding:",
    " chunked",
    "Host: b",
    "Host:",
    "Host: [::1]:80",
    "X:",
    "X: \xff",
  ],
  ...[
    "Connection: close",
    "Connection: keep-alive, content-length",
    "Connection: upgrade",
    "Connection: x",
    "Upgrade: websocket",
  ],
  ...[
    "Upgrade: h2c",
    "Upgrade: a/1, b",
    "Expect: 100-continue",
    "TE: trailers",
    "Trailer: X",
    "Keep-Alive: 1",
    "Cookie: a",
  ],
  ...[
    "Tulle-Client-Id: x",
    "X-Forwarded-For: 1",
    "Proxy-Connection: close",
    "HTTP2-Settings: A",
    "Content-Type: application/grpc",
  ],
];
const REQUEST_LINES = [
  ...[
    "GET / HTTP/1.1",
    "POST /a HTTP/1.1",
    "POST /a HTTP/1.0",
    "HEAD / HTTP/1.1",
    "OPTIONS * HTTP/1.1",
    "M-X /?q=%0d HTTP/1.1",
  ],
  ...[
    "PUT http://a/ HTTP/1.1",
    "GET http://a?b HTTP/1.1",
    "CONNECT a:1 HTTP/1.1",
    "GET /",
    "GET  / HTTP/1.1",
    "PRI * HTTP/2.0",
  ],
];
const STATUS_LINES = [
  ...[
    "HTTP/1.1 200 OK",
    "HTTP/1.1 200",
    "HTTP/1.0 200 OK",
    "HTTP/1.1 100 Continue",
    "HTTP/1.1 103 Early",
    "HTTP/1.1 204 No",
  ],
  ...["HTTP/1.1 304 Not", "HTTP/1.1 101 Switch", "HTTP/1.1 500 \xe9", "HTTP/1.1 999 X", "HTTP/1.2 200 OK", "ICY 200"],
];
const BODIES = [
  ...[
    "",
    "abc",
    "0\r\n\r\n",
    "3\r\nabc\r\n0\r\n\r\n",
    "3;x=y\r\nabc\r\n0\r\nT: x\r\n\r\n",
    "3;\nabc\r\n0\r\n\r\n",
    "3 \r\nabc\r\n0\r\n\r\n",
  ],
  ...[
    "3\r\nabc\n0\r\n\r\n",
    "03\r\nabc\r\n00\r\n\r\n",
    "3\r\nabcd\r\n0\r\n\r\n",
    "1\r\na\r\n1\r\nb\r\n0\r\nContent-Length: 1\r\n\r\n",
  ],
];
const ENDS = [
  "\r\n",
  "\r\n",
  "\r\n",
  "\r\n",
  "\r\n",
  "\r\n",
  "\r\n",
  "\r\n",
  "\r\n",
  "\r\n",
  "\n",
  "\r",
  "\r\r\n",
  " \r\n",
];

export const HTTP1_TOKENS: readonly string[] = [
  ...LINES.map((line) => `${line}\r\n`),
  ...BODIES,
  "\r\n",
  "\r\n\r\n",
  " HTTP/1.1",
];

/** One to three messages of suspicious parts. */
export function http1Messages(random: Random, kind: "request" | "response"): string {
  let out = "";
  for (let left = random.between(1, 3); left > 0; left--) {
    const first = random.pick(kind === "request" ? REQUEST_LINES : STATUS_LINES);
    const lines = [
      first,
      ...(kind === "request" && !random.oneIn(8) ? ["Host: a"] : []),
      ...random.list(4, () => random.pick(LINES)),
    ];
    const isOdd = random.oneIn(3);
    out += [...lines, ""].map((line) => line + (isOdd ? random.pick(ENDS) : "\r\n")).join("") + random.pick(BODIES);
  }
  return out;
}
