import { describe, expect, test } from "bun:test";
import { EXPECTS_CONTINUE, HAS_TE_TRAILERS, IS_GRPC } from "../header_block.ts";
import { MALFORMED, REQUEST, RESPONSE, TRAILERS } from "./decoder.ts";
import { concat, decode, GET, literals, newDecoder, ok } from "./_testing.ts";

const M = [":method", "GET"];
const S = [":scheme", "http"];
const A = [":authority", "web"];
const P = [":path", "/"];

describe("a malformed request (RFC 9113 §8)", () => {
  test.each<[string, string[]]>([
    ["no fields", []],
    ["no method", [...S, ...A, ...P]],
    ["no scheme", [...M, ...A, ...P]],
    ["no path", [...M, ...S, ...A]],
    ["empty path", [...M, ...S, ...A, ":path", ""]],
    ["path without a slash", [...M, ...S, ...A, ":path", "index"]],
    ["* for GET", [...M, ...S, ...A, ":path", "*"]],
    ["fragment in the path", [...M, ...S, ...A, ":path", "/a#b"]],
    ["space in the path", [...M, ...S, ...A, ":path", "/ HTTP/1.1"]],
    ["method with a space", [":method", "GET /", ...S, ...A, ...P]],
    ["authority with user information", [...M, ...S, ":authority", "a@web", ...P]],
    ["authority with a slash", [...M, ...S, ":authority", "web/x", ...P]],
    ["authority with a scheme and a slash", [...M, ...S, ":authority", "http://web/x", ...P]],
    ["authority of a scheme alone", [...M, ...S, ":authority", "http://", ...P]],
    ["method twice", [...M, ...M, ...S, ...P]],
    ["path twice", [...GET, ...P]],
    ["unknown pseudo-header field", [...GET, ":test", "1"]],
    ["response's pseudo-header field", [...GET, ":status", "200"]],
    ["pseudo-header field after a regular one", [...M, ...S, "x-a", "1", ...P]],
    ["pseudo-header field after host", [...M, ...S, "host", "web", ...P]],
    ["CONNECT with a path", [":method", "CONNECT", ...A, ...P]],
    ["CONNECT with a scheme", [":method", "CONNECT", ...A, ...S]],
    ["CONNECT without an authority", [":method", "CONNECT"]],
    ["CONNECT with host in place of an authority", [":method", "CONNECT", "host", "web"]],
    ["extended CONNECT without a path", [":method", "CONNECT", ...S, ...A, ":protocol", "websocket"]],
    ["extended CONNECT without an authority", [":method", "CONNECT", ...S, ...P, ":protocol", "websocket"]],
    [":protocol with GET", [...GET, ":protocol", "websocket"]],
    ["host unlike the authority", [...GET, "host", "other"]],
    ["host twice", [...M, ...S, ...P, "host", "web", "host", "web"]],
    ["host with a space", [...M, ...S, ...P, "host", "we b"]],
    ["upper-case name", [...GET, "X-a", "1"]],
    ["empty name", [...GET, "", "1"]],
    ["colon in a name", [...GET, "x:a", "1"]],
    ["space in a name", [...GET, "x a", "1"]],
    ["obs-text in a name", [...GET, "x\xe4", "1"]],
    ["NUL in a value", [...GET, "x-a", "a\0b"]],
    ["CR in a value", [...GET, "x-a", "a\rb"]],
    ["LF in a value", [...GET, "x-a", "a\nb"]],
    ["DEL in a value", [...GET, "x-a", "a\x7fb"]],
    ["space before a value", [...GET, "x-a", " a"]],
    ["tab after a value", [...GET, "x-a", "a\t"]],
    ["connection", [...GET, "connection", "close"]],
    ["keep-alive", [...GET, "keep-alive", "1"]],
    ["proxy-connection", [...GET, "proxy-connection", "close"]],
    ["transfer-encoding", [...GET, "transfer-encoding", "chunked"]],
    ["upgrade", [...GET, "upgrade", "h2c"]],
    ["te other than trailers", [...GET, "te", "trailers, deflate"]],
    ["content-length twice", [...GET, "content-length", "1", "content-length", "1"]],
    ["content-length of two values", [...GET, "content-length", "1, 1"]],
    ["negative content-length", [...GET, "content-length", "-1"]],
    ["empty content-length", [...GET, "content-length", ""]],
    ["content-length beyond 2^53", [...GET, "content-length", "9007199254740993"]],
  ])("is refused: %s", (_what, fields) => {
    expect(decode(literals(fields))).toBe(MALFORMED);
    const decoder = newDecoder(); // and just so when its fields come out of the table
    expect(decode(literals(fields, 0x40), REQUEST, decoder)).toBe(MALFORMED);
    const indexed = fields.filter((_, i) => i % 2 === 0).map((_, i, all) => 0x80 | (61 + all.length - i));
    expect(decode(Uint8Array.from(indexed), REQUEST, decoder)).toBe(MALFORMED);
  });
});

test.each([":path", ":method", ":scheme", ":authority"])(
  "decode() refuses a request with an indexed %s twice",
  (name) => {
    const index = { ":authority": 1, ":method": 2, ":path": 4, ":scheme": 6 }[name] as number; // a name of the table
    expect(decode(concat(literals(GET), Uint8Array.of(0x80 | index)))).toBe(MALFORMED);
  },
);

test.each<[string, string[]]>([
  ["no status", ["x-a", "1"]],
  ["status of two digits", [":status", "20"]],
  ["status of four digits", [":status", "2000"]],
  ["status below 100", [":status", "099"]],
  ["status with a letter", [":status", "20x"]],
  ["101, which HTTP/2 does not have", [":status", "101"]],
  ["status twice", [":status", "200", ":status", "200"]],
  ["interim response that announces a body", [":status", "103", "content-length", "5"]],
  ["request's pseudo-header field", [":status", "200", ...P]],
])("decode() refuses a response: %s", (_what, fields) => expect(decode(literals(fields), RESPONSE)).toBe(MALFORMED));

test.each([
  ["103", "0", -1],
  ["204", "5", -1],
  ["304", "5", 5],
])(
  "decode() takes a response %s with content-length %s, and leaves it out where it must not be",
  (status, length, want) => {
    const fields = [":status", status, "trailer", "content-length", "content-length", length];
    const block = ok(decode(literals(fields), RESPONSE));
    expect([block.contentLength, block.get("content-length") === null]).toEqual([want, want < 0]);
    expect(block.get("trailer")).toBe("content-length");
  },
);

test.each<[string, string[]]>([
  ["pseudo-header field", [":status", "200"]],
  ["content-length", ["content-length", "1"]],
  ["host", ["host", "web"]],
])("decode() refuses trailers: %s", (_what, fields) => expect(decode(literals(fields), TRAILERS)).toBe(MALFORMED));

test("decode() takes the authority from host, which is no longer a field", () => {
  for (const authority of [[], [":authority", ""]]) {
    const block = ok(decode(literals([...M, ...S, ...authority, ...P, "host", "web:80", "x-a", "1"])));
    expect([block.authority, ...block.fields]).toEqual(["web:80", "x-a", "1"]);
  }
  const both = ok(decode(literals([...GET, "host", "WEB"])));
  expect([both.authority, both.fields.length]).toEqual(["web", 0]);
});

test("decode() takes both kinds of CONNECT", () => {
  const plain = ok(decode(literals([":method", "CONNECT", ":authority", "db:5432"])));
  expect([plain.method, plain.authority, plain.path]).toEqual(["CONNECT", "db:5432", ""]);
  const extended = ok(decode(literals([":method", "CONNECT", ":protocol", "websocket", ...S, ...A, ...P])));
  expect([extended.protocol, extended.path]).toEqual(["websocket", "/"]);
});

test("decode() joins cookie crumbs where the first was (RFC 9113 §8.2.3)", () => {
  const block = ok(decode(literals([...GET, "cookie", "a=1", "x-a", "1", "cookie", "b=2", "cookie", "c=3"])));
  expect(block.fields).toEqual(["cookie", "a=1; b=2; c=3", "x-a", "1"]);
});

test("decode() notes the facts that engines ask for", () => {
  const block = ok(decode(literals([
    ...GET,
    "te",
    "Trailers",
    "content-type",
    "application/grpc+proto",
    "expect",
    "100-Continue",
    "content-length",
    "42",
  ])));
  expect(block.flags).toBe(HAS_TE_TRAILERS | IS_GRPC | EXPECTS_CONTINUE);
  expect(block.contentLength).toBe(42);
  expect(block.fields.length).toBe(8);
  const none = ok(decode(literals([...GET, "content-type", "text/html", "expect", "else"])));
  expect([none.flags, none.contentLength]).toEqual([0, -1]);
});

test("decode() takes what is unusual but right", () => {
  expect(ok(decode(literals([":method", "OPTIONS", ...S, ...A, ":path", "*"]))).path).toBe("*");
  expect(ok(decode(literals([...GET, "x-a", "", "x-b", "a\tb \xff"]))).get("x-b")).toBe("a\tb \xff");
  expect(ok(decode(literals([...M, ...S, ":authority", "[::1]:80", ":path", "/\xe4?q={}"]))).path).toBe("/\xe4?q={}");
  const url = [...M, ...S, ":authority", "http://web:80", ...P]; // by etcd's clients
  expect(ok(decode(literals(url))).authority).toBe("http://web:80");
  expect(ok(decode(literals([":status", "999"]), RESPONSE)).status).toBe(999);
  expect(ok(decode(literals([]), TRAILERS)).fields).toEqual([]);
});
