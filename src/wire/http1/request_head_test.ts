import { expect, test } from "bun:test";
import { HAS_TE_TRAILERS, headerBlock } from "../header_block.ts";
import { nameForCode } from "./error_code.ts";
import { FRAMING_CHUNKED, FRAMING_LENGTH, FRAMING_NONE } from "./framing.ts";
import { MAX_FIELDS } from "./limits.ts";
import { parseRequestHead, type RequestHead } from "./request_head.ts";

function parse(text: string): RequestHead {
  const buf = Buffer.from(text, "latin1");
  const head = parseRequestHead(buf, 0, buf.length);
  if (typeof head === "number") throw new Error(nameForCode(head));
  return head;
}

function codeOf(text: string): string {
  const buf = Buffer.from(text, "latin1");
  const head = parseRequestHead(buf, 0, buf.length);
  return typeof head === "number" ? nameForCode(head) : "accepted";
}

/** A GET of / on host h with these lines added. */
function withFields(...lines: string[]): string {
  return ["GET / HTTP/1.1", "Host: h", ...lines, "", ""].join("\r\n");
}

test("parseRequestHead() gives start line, authority and fields of a plain request", () => {
  const head = parse("GET /a?b=c HTTP/1.1\r\nHost: shop:8080\r\nUser-Agent:  curl/8 \t\r\nX-Own: \r\n\r\n");
  const { method, scheme, authority, path, protocol, status, fields } = head.block;
  expect({ method, scheme, authority, path, protocol, status }).toEqual({
    method: "GET",
    scheme: "http",
    authority: "shop:8080",
    path: "/a?b=c",
    protocol: "",
    status: 0,
  });
  expect(fields).toEqual(["user-agent", "curl/8", "x-own", ""]);
  expect(head.framing).toBe(FRAMING_NONE);
  expect(head.keepAlive).toBe(true);
});

test("parseRequestHead() reads a head in the middle of a buffer, whatever its array type", () => {
  const text = withFields("A: 1");
  const buf = new Uint8Array(Buffer.from(`junk${text}more`, "latin1"));
  const head = parseRequestHead(buf, 4, 4 + text.length) as RequestHead; // valid by construction
  expect(head.block.fields).toEqual(["a", "1"]);
});

test("parseRequestHead() computes the same facts as headerBlock()", () => {
  const text = withFields(
    "Content-Type: application/grpc+proto",
    "TE: trailers",
    "Expect: 100-Continue",
    "Content-Length: 7",
  );
  const { block } = parse(text);
  const again = headerBlock(block, block.fields);
  expect([block.flags, block.contentLength]).toEqual([again.flags, again.contentLength]);
  expect(block.flags & HAS_TE_TRAILERS).not.toBe(0);
});

const FRAMINGS: [string[], number, number][] = [
  [[], FRAMING_NONE, 0],
  [["Content-Length: 0"], FRAMING_NONE, 0],
  [["Content-Length: 12"], FRAMING_LENGTH, 12],
  [["Content-Length: 9007199254740991"], FRAMING_LENGTH, Number.MAX_SAFE_INTEGER],
  [["Transfer-Encoding: Chunked"], FRAMING_CHUNKED, 0],
];
test.each(FRAMINGS)("parseRequestHead() finds the framing of %p", (lines, framing, length) => {
  const head = parse(withFields(...lines));
  expect([head.framing, head.contentLength]).toEqual([framing, length]);
});

test("parseRequestHead() passes a length with leading zeros on in plain form", () => {
  expect(parse(withFields("Content-Length: 0010")).block.fields).toEqual(["content-length", "10"]);
});

const TARGETS: [string, string, string, string, string][] = [
  ["GET / HTTP/1.1", "http", "h", "/", "origin form"],
  ["OPTIONS * HTTP/1.1", "http", "h", "*", "asterisk form"],
  ["CONNECT db:5432 HTTP/1.1", "", "db:5432", "", "authority form"],
  ["CONNECT [::1]:443 HTTP/1.1", "", "[::1]:443", "", "authority form of an address"],
  ["GET http://x.y:1/p?q HTTP/1.1", "http", "x.y:1", "/p?q", "absolute form"],
  ["GET HTTPS://x HTTP/1.1", "https", "x", "/", "absolute form without path"],
  ["GET http://x?q HTTP/1.1", "http", "x", "/?q", "absolute form with a query only"],
  ["OPTIONS http://x HTTP/1.1", "http", "x", "*", "OPTIONS of a whole server"],
];
test.each(TARGETS)("parseRequestHead() takes %s", (line, scheme, authority, path) => {
  const { block, isConnect, isAbsoluteForm } = parse(`${line}\r\nHost: h\r\n\r\n`);
  expect([block.scheme, block.authority, block.path]).toEqual([scheme, authority, path]);
  expect(isConnect).toBe(line.startsWith("CONNECT"));
  expect(isAbsoluteForm).toBe(line.includes("://"));
});

const PERSISTENCE: [string, string[], boolean][] = [
  ["1.1", [], true],
  ["1.1", ["Connection: Close"], false],
  ["1.1", ["Connection: keep-alive, close"], false],
  ["1.0", [], false],
  ["1.0", ["Connection: Keep-Alive"], true],
  ["1.0", ["Connection: keep-alive", "Connection: close"], false],
];
test.each(PERSISTENCE)("parseRequestHead() decides on keeping HTTP/%s with %p", (version, lines, keepAlive) => {
  const text = ["GET / HTTP/" + version, "Host: h", ...lines, "", ""].join("\r\n");
  expect(parse(text).keepAlive).toBe(keepAlive);
});

test("parseRequestHead() drops the fields of this connection and those that Connection names", () => {
  const head = parse(withFields(
    "Connection: keep-alive, X-Hop, te",
    "Keep-Alive: timeout=5",
    "Proxy-Connection: keep-alive",
    "HTTP2-Settings: AAMAAABk",
    "X-Hop: 1",
    "TE: gzip, Trailers;q=1",
    "X-Hop: 2",
    "Proxy-Authorization: Basic eA==",
    "X-End: 3",
  ));
  expect(head.block.fields).toEqual(["proxy-authorization", "Basic eA==", "x-end", "3", "te", "trailers"]);
});

test("parseRequestHead() keeps protected fields that Connection names", () => {
  const head = parse(withFields(
    "Connection: close, Cookie, authorization, content-length, x-forwarded-for, tulle-client-id",
    "Cookie: a=b",
    "Authorization: Bearer x",
    "Content-Length: 3",
    "X-Forwarded-For: 10.0.0.1",
    "Tulle-Client-Id: spiffe://x",
  ));
  expect(head.block.fields.filter((_, i) => i % 2 === 0)).toEqual([
    "cookie",
    "authorization",
    "content-length",
    "x-forwarded-for",
    "tulle-client-id",
  ]);
  expect(head.contentLength).toBe(3);
});

const UPGRADES: [string, string[], string, string][] = [
  ["1.1", ["Connection: Upgrade", "Upgrade: websocket"], "websocket", "asked for"],
  ["1.1", ["Upgrade: websocket"], "", "not named by Connection"],
  ["1.0", ["Connection: upgrade", "Upgrade: websocket"], "", "HTTP/1.0 has none (RFC 9110 §7.8)"],
  ["1.1", ["Connection: upgrade, http2-settings", "Upgrade: h2c"], "", "h2c never passes"],
  ["1.1", ["Connection: upgrade", "Upgrade: tcp", "Content-Length: 2"], "tcp", "a body with a length may come first"],
  ["1.1", ["Connection: upgrade", "Upgrade: tcp", "Transfer-Encoding: chunked"], "", "a chunked body may not"],
  ["1.1", ["Connection: upgrade", "Upgrade: h2c, Foo/2", "Upgrade: websocket"], "Foo/2, websocket", "others pass"],
];
test.each(UPGRADES)("parseRequestHead() reads the upgrade of HTTP/%s with %p", (version, lines, upgrade) => {
  const head = parse(["GET / HTTP/" + version, "Host: h", ...lines, "", ""].join("\r\n"));
  expect(head.upgrade).toBe(upgrade);
  expect(head.block.get("upgrade")).toBeNull();
});

test("parseRequestHead() reports 100-continue in HTTP/1.1 only", () => {
  expect(parse(withFields("Expect: 100-continue")).expectContinue).toBe(true);
  expect(parse("PUT / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n").expectContinue).toBe(false);
});

test("parseRequestHead() refuses more fields, options and bytes than the limits", () => {
  expect(codeOf(withFields(...Array(MAX_FIELDS - 1).fill("A: 1")))).toBe("accepted");
  expect(codeOf(withFields(...Array(MAX_FIELDS).fill("A: 1")))).toBe("too_many_fields");
  expect(codeOf(withFields("Connection: " + Array(33).fill("a").join()))).toBe("too_many_connection_options");
  expect(codeOf(withFields("A: " + "x".repeat(65536)))).toBe("head_too_long");
  expect(codeOf(`GET /${"x".repeat(32768)} HTTP/1.1\r\nHost: h\r\n\r\n`)).toBe("target_too_long");
  expect(codeOf(`${"M".repeat(65)} / HTTP/1.1\r\nHost: h\r\n\r\n`)).toBe("method_too_long");
});

test("parseRequestHead() gives the same for a section that it has seen before, whatever stands above it", () => {
  const section = "Host: h\r\nConnection: close, x-hop\r\nX-Hop: 1\r\nX-Id: 7\r\nTransfer-Encoding: chunked\r\n\r\n";
  const first = parse(`POST /a HTTP/1.1\r\n${section}`);
  for (const path of ["/b", "/c", "/d"]) {
    const head = parse(`PUT ${path} HTTP/1.1\r\n${section}`);
    expect([head.block.method, head.block.path]).toEqual(["PUT", path]);
    expect({ ...head, block: head.block.fields }).toEqual({ ...first, block: first.block.fields });
    parse(`GET /other HTTP/1.1\r\nHost: elsewhere\r\nX-Other: ${path}\r\n\r\n`);
  }
});

test("parseRequestHead() judges what a section means by the request line above it", () => {
  const section = "Host: h:1\r\nContent-Length: 3\r\nConnection: upgrade\r\nUpgrade: ws\r\n\r\n";
  for (let i = 0; i < 3; i++) {
    expect(parse(`POST /a HTTP/1.1\r\n${section}`).upgrade).toBe("ws");
    expect(parse(`POST /a HTTP/1.0\r\n${section}`).upgrade).toBe("");
    expect(codeOf(`CONNECT h:1 HTTP/1.1\r\n${section}`)).toBe("connect_with_body");
    expect(codeOf(`POST /a HTTP/1.1\r\nHost: a\r\n${section}`)).toBe("duplicate_host");
  }
});
