import { expect, test } from "bun:test";
import { nameForCode } from "./error_code.ts";
import { FRAMING_CHUNKED, FRAMING_LENGTH, FRAMING_NONE, FRAMING_UNTIL_CLOSE } from "./framing.ts";
import { parseResponseHead, responseFraming, type ResponseHead } from "./response_head.ts";

function parse(...lines: string[]): ResponseHead {
  const buf = Buffer.from([...lines, "", ""].join("\r\n"), "latin1");
  const head = parseResponseHead(buf, 0, buf.length);
  if (typeof head === "number") throw new Error(nameForCode(head));
  return head;
}

test("parseResponseHead() gives status, reason and fields", () => {
  const head = parse("HTTP/1.1 404 Nicht da", "Content-Type: text/plain", "Content-Length: 3", "Connection: close");
  expect([head.block.status, head.reason, head.minorVersion]).toEqual([404, "Nicht da", 1]);
  expect(head.block.fields).toEqual(["content-type", "text/plain", "content-length", "3"]);
  expect([head.framing, head.contentLength, head.keepAlive]).toEqual([FRAMING_LENGTH, 3, false]);
});

test("parseResponseHead() gives a phrase as it was sent, and none for the registered one", () => {
  expect(parse("HTTP/1.1 200 OK").reason).toBe("");
  expect(parse("HTTP/1.1 200 ok").reason).toBe("ok");
  expect(parse("HTTP/1.1 200 ").reason).toBe("");
  expect(parse("HTTP/1.1 200").reason).toBe("");
});

test("parseResponseHead() drops a Host field: it has no meaning in responses", () => {
  expect(parse("HTTP/1.1 200 OK", "Host: a", "X: 1").block.fields).toEqual(["x", "1"]);
});

test("parseResponseHead() reads the protocol of a 101 and hides offers of HTTP/2", () => {
  expect(parse("HTTP/1.1 101 Switching Protocols", "Connection: Upgrade", "Upgrade: websocket").upgrade).toBe(
    "websocket",
  );
  expect(parse("HTTP/1.1 200 OK", "Connection: Upgrade", "Upgrade: h2,h2c").upgrade).toBe("");
});

/** RFC 9112 §6.3, in its order. */
const RULES: [string, number, string[], number, string][] = [
  ["HEAD", 200, ["Content-Length: 5"], FRAMING_NONE, "HEAD has no body"],
  ["HEAD", 200, ["Transfer-Encoding: chunked"], FRAMING_NONE, "nor chunks"],
  ["GET", 100, [], FRAMING_NONE, "interim"],
  ["GET", 103, [], FRAMING_NONE, "interim"],
  ["GET", 204, [], FRAMING_NONE, "no content"],
  ["GET", 304, ["Content-Length: 5"], FRAMING_NONE, "not modified: the length is that of a 200"],
  ["CONNECT", 200, ["Content-Length: 5"], FRAMING_NONE, "a tunnel"],
  ["CONNECT", 407, ["Content-Length: 5"], FRAMING_LENGTH, "a refused tunnel"],
  ["GET", 200, ["Transfer-Encoding: chunked"], FRAMING_CHUNKED, "chunks"],
  ["GET", 200, ["Content-Length: 5"], FRAMING_LENGTH, "a length"],
  ["GET", 200, [], FRAMING_UNTIL_CLOSE, "neither"],
];
test.each(RULES)("responseFraming() of %s %p with %p is %p: %s", (method, status, lines, framing) => {
  const head = parse(`HTTP/1.1 ${status} X`, ...lines);
  expect<number>(responseFraming(head, method, status)).toBe(framing);
});

test("parseResponseHead() gives up the connection when a body may follow a status that has none", () => {
  const withLength = parse("HTTP/1.1 204 No Content", "Content-Length: 5");
  expect([withLength.keepAlive, withLength.block.fields, withLength.block.contentLength]).toEqual([false, [], -1]);
  expect(parse("HTTP/1.1 204 No Content", "Transfer-Encoding: chunked").keepAlive).toBe(false);
  expect(parse("HTTP/1.1 204 No Content", "Content-Length: 0").keepAlive).toBe(true);
  expect(parse("HTTP/1.1 304 Not Modified", "Content-Length: 5").keepAlive).toBe(true);
});
