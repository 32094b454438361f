import { expect, test } from "bun:test";
import { DOWNGRADES, SIDECAR_DOWNGRADES } from "./corpus/downgrades.ts";
import { REQUESTS } from "./corpus/requests.ts";
import { RESPONSES } from "./corpus/responses.ts";
import { readRequests, readResponses } from "./reference.ts";

const GET = "GET /a HTTP/1.1\r\nHost: web\r\n\r\n";

function requests(text: string): string {
  const { messages, rest } = readRequests(Buffer.from(text, "latin1"));
  return [...messages.map(({ method, target, body }) => `${method} ${target} ${body.length}`), rest].join(" | ");
}

test.each([
  ["two requests", GET + GET, "GET /a 0 | GET /a 0 | "],
  [
    "a body by its length",
    "POST /a HTTP/1.1\r\nHost: web\r\nContent-Length: 2\r\n\r\nok" + GET,
    "POST /a 2 | GET /a 0 | ",
  ],
  ["chunks", "POST /a HTTP/1.1\r\nHost: web\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", "POST /a 2 | "],
  ["half a body", "POST /a HTTP/1.1\r\nHost: web\r\nContent-Length: 3\r\n\r\nok", "incomplete"],
  ["a bare LF", "GET /a HTTP/1.1\nHost: web\r\n\r\n", 'bare LF: "GET /a HTTP/1.1\\n"'],
  [
    "capitals of chunked",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n",
    'Transfer-Encoding: "Chunked"',
  ],
  [
    "a chunk extension",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0;a\r\n\r\n",
    'chunk size: "0;a"',
  ],
  ["leading zeros", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 01\r\n\r\na", 'Content-Length: "01"'],
])("readRequests() reads %s", (_name, text, want) => {
  expect(requests(text)).toBe(want);
});

test("readResponses() knows which answers have no body", () => {
  const text = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No\r\n\r\n";
  const { messages, rest } = readResponses(Buffer.from(text), ["HEAD", "GET"], false);
  expect([messages.map(({ status }) => status), rest]).toEqual([[200, 204], ""]);
});

test("every variant has a name of its own", () => {
  for (const variants of [REQUESTS, RESPONSES, [...DOWNGRADES, ...SIDECAR_DOWNGRADES]]) {
    const names = variants.map((one) => `${one.class}: ${one.name}`);
    expect(names.filter((name, at) => names.indexOf(name) !== at)).toEqual([]);
  }
});
