import { expect, test } from "bun:test";
import { ByteSink } from "../../base/byte_sink.ts";
import { type HeaderBlock, headerBlock, NO_START } from "../header_block.ts";
import { latin1 } from "../../base/latin1.ts";
import { nameForCode } from "./error_code.ts";
import {
  appendChunkEnd,
  appendChunkHeader,
  appendLastChunk,
  appendRequestHead,
  appendResponseHead,
  appendTrailers,
  SEND_ABSOLUTE_FORM,
  SEND_CHUNKED,
  SEND_CLOSE,
  SEND_HTTP10,
  SEND_KEEP_ALIVE,
  SEND_TE_TRAILERS,
  SEND_UPGRADE,
} from "./serialize.ts";

const GET = { ...NO_START, method: "GET", scheme: "http", authority: "shop:80", path: "/a?b" };

function request(fields: string[] = [], start: Partial<typeof GET> = {}): HeaderBlock {
  return headerBlock({ ...GET, ...start }, fields);
}

function response(fields: string[] = [], status = 200): HeaderBlock {
  return headerBlock({ ...NO_START, status }, fields);
}

/** What `append` wrote, or the name of its code; nothing may be written with a code. */
function written(append: (sink: ByteSink) => number): string {
  const sink = new ByteSink(0);
  const code = append(sink);
  if (code < 0) expect(sink.length).toBe(0);
  return code < 0 ? nameForCode(code) : latin1(sink.buffer, 0, sink.length);
}

function requestBytes(block: HeaderBlock, bits = 0, upgrade = ""): string {
  return written((sink) => appendRequestHead(sink, block, bits, upgrade));
}

function responseBytes(block: HeaderBlock, bits = 0, reason = "", upgrade = ""): string {
  return written((sink) => appendResponseHead(sink, block, reason, bits, upgrade));
}

const HEAD = "GET /a?b HTTP/1.1\r\nhost: shop:80\r\nx: 1\r\n";

const REQUEST_BITS: [number, string, string][] = [
  [0, "", "\r\n"],
  [SEND_CLOSE, "", "connection: close\r\n\r\n"],
  [SEND_KEEP_ALIVE, "", "connection: keep-alive\r\n\r\n"],
  [SEND_CLOSE | SEND_KEEP_ALIVE, "", "connection: close\r\n\r\n"],
  [SEND_CHUNKED, "", "transfer-encoding: chunked\r\n\r\n"],
  [SEND_TE_TRAILERS, "", "connection: te\r\nte: trailers\r\n\r\n"],
  [
    SEND_TE_TRAILERS | SEND_CHUNKED | SEND_CLOSE,
    "",
    "connection: close, te\r\nte: trailers\r\ntransfer-encoding: chunked\r\n\r\n",
  ],
  [SEND_UPGRADE, "websocket", "connection: upgrade\r\nupgrade: websocket\r\n\r\n"],
];
test.each(REQUEST_BITS)(
  "appendRequestHead() with bits %d adds the lines of the connection",
  (bits, upgrade, suffix) => {
    const block = request(["x", "1"]);
    expect(requestBytes(block, bits, upgrade)).toBe(HEAD + suffix);
    // A second time from the memo.
    expect(requestBytes(block, bits, upgrade)).toBe(HEAD + suffix);
  },
);

test("appendRequestHead() appends behind what is there, also with the version rewritten", () => {
  const sink = new ByteSink(4);
  sink.put1(0x21);
  const block = request();
  expect(appendRequestHead(sink, block, SEND_HTTP10 | SEND_KEEP_ALIVE, "")).toBe(0);
  expect(latin1(sink.buffer, 0, sink.length)).toBe(
    "!GET /a?b HTTP/1.0\r\nhost: shop:80\r\nconnection: keep-alive\r\n\r\n",
  );
  expect(requestBytes(block)).toStartWith("GET /a?b HTTP/1.1\r\n");
});

const FORMS: [Partial<typeof GET>, number, string][] = [
  [{ authority: "" }, 0, "GET /a?b HTTP/1.1\r\nhost: \r\n\r\n"],
  [{ authority: "" }, SEND_HTTP10, "GET /a?b HTTP/1.0\r\n\r\n"],
  [{}, SEND_ABSOLUTE_FORM, "GET http://shop:80/a?b HTTP/1.1\r\nhost: shop:80\r\n\r\n"],
  [{}, SEND_ABSOLUTE_FORM | SEND_HTTP10, "GET http://shop:80/a?b HTTP/1.0\r\nhost: shop:80\r\n\r\n"],
  [{ method: "OPTIONS", path: "*" }, 0, "OPTIONS * HTTP/1.1\r\nhost: shop:80\r\n\r\n"],
  [{ method: "OPTIONS", path: "*" }, SEND_ABSOLUTE_FORM, "OPTIONS http://shop:80 HTTP/1.1\r\nhost: shop:80\r\n\r\n"],
  [{ method: "CONNECT", path: "" }, 0, "CONNECT shop:80 HTTP/1.1\r\nhost: shop:80\r\n\r\n"],
  [{ method: "CONNECT", path: "" }, SEND_HTTP10, "CONNECT shop:80 HTTP/1.0\r\nhost: shop:80\r\n\r\n"],
];
test.each(FORMS)("appendRequestHead() writes %j with bits %d in the right form", (start, bits, wanted) => {
  expect(requestBytes(request([], start), bits)).toBe(wanted);
});

test("appendRequestHead() remembers its own bytes, not those of a sink that goes on being used", () => {
  const block = request(["x", "1"]);
  const sink = new ByteSink(0);
  sink.buffer = Buffer.alloc(512);
  for (let turn = 0; turn < 3; turn++) {
    sink.reset();
    sink.buffer.fill(0x2a);
    expect(appendRequestHead(sink, block, 0, "")).toBe(0);
    expect(latin1(sink.buffer, 0, sink.length)).toBe(`${HEAD}\r\n`);
  }
});

test("appendRequestHead() leaves te to the bits", () => {
  expect(requestBytes(request(["te", "trailers", "x", "1"]))).toBe(`${HEAD}\r\n`);
});

/** What an HTTP/2 peer may try so that one request becomes two behind us (downgrade smuggling). */
const INJECTIONS: [Partial<typeof GET & { status: number; protocol: string }>, string[], string][] = [
  [{ method: "GET / HTTP/1.1\r\nX:" }, [], "bad_method"],
  [{ method: "G ET" }, [], "bad_method"],
  [{ method: "" }, [], "bad_method"],
  [{ method: "M".repeat(65) }, [], "method_too_long"],
  [{ path: "/ HTTP/1.1\r\nX: 1\r\n" }, [], "bad_target"],
  [{ path: "/a b" }, [], "bad_target"],
  [{ path: "/a\n" }, [], "bad_target"],
  [{ path: "/\u010a" }, [], "bad_target"],
  [{ path: "/\u00e9" }, [], "bad_target"],
  [{ path: "/a#b" }, [], "bad_target"],
  [{ path: "" }, [], "bad_target"],
  [{ path: "*" }, [], "bad_target"],
  [{ path: "http://evil/" }, [], "bad_target"],
  [{ path: "/" + "a".repeat(32768) }, [], "target_too_long"],
  [{ method: "CONNECT" }, [], "bad_target"],
  [{ method: "CONNECT", path: "", authority: "a" }, [], "bad_target"],
  [{ authority: "a\r\nX: 1" }, [], "bad_host"],
  [{ authority: "a b" }, [], "bad_host"],
  [{ authority: "u@a" }, [], "bad_host"],
  [{ authority: "a/b" }, [], "bad_host"],
  [{ protocol: "websocket" }, [], "not_http1"],
  [{ status: 200 }, [], "not_http1"],
  [{}, ["x", "1\r\nY: 2"], "bad_field_value"],
  [{}, ["x", "1\nY: 2"], "bad_field_value"],
  [{}, ["x", "1\r"], "bad_field_value"],
  [{}, ["x", "\0"], "bad_field_value"],
  [{}, ["x", "\u010d\u010a"], "bad_field_value"],
  [{}, ["x\r\ny", "1"], "bad_field_name"],
  [{}, ["x: 1\r\ny", "1"], "bad_field_name"],
  [{}, ["x ", "1"], "bad_field_name"],
  [{}, ["X", "1"], "bad_field_name"],
  [{}, ["", "1"], "bad_field_name"],
  [{}, [":path", "/"], "bad_field_name"],
  [{}, ["\u0178", "1"], "bad_field_name"],
  [{}, ["transfer-encoding", "chunked"], "connection_field"],
  [{}, ["connection", "close"], "connection_field"],
  [{}, ["keep-alive", "1"], "connection_field"],
  [{}, ["proxy-connection", "close"], "connection_field"],
  [{}, ["upgrade", "h2c"], "connection_field"],
  [{}, ["http2-settings", "AA"], "connection_field"],
  [{}, ["host", "evil"], "connection_field"],
  [{}, ["content-length", "5", "content-length", "5"], "framing_conflict"],
  [{}, ["content-length", "+5"], "framing_conflict"],
  [{}, ["content-length", "5, 5"], "framing_conflict"],
];
test.each(INJECTIONS)("appendRequestHead() refuses %j with fields %j", (start, fields, code) => {
  expect(requestBytes(request(fields, start))).toBe(code);
  expect(requestBytes(request(fields, start), SEND_HTTP10)).toBe(code);
});

test("appendRequestHead() refuses bits that contradict the block", () => {
  expect(requestBytes(request(["content-length", "5"]), SEND_CHUNKED)).toBe("framing_conflict");
  expect(requestBytes(request(), SEND_CHUNKED | SEND_HTTP10)).toBe("transfer_encoding_in_1_0");
  expect(requestBytes(request(), SEND_UPGRADE, "a\r\nb")).toBe("bad_field_value");
  expect(requestBytes(request(), SEND_UPGRADE, "")).toBe("bad_field_value");
  expect(requestBytes(request([], { authority: "" }), SEND_ABSOLUTE_FORM)).toBe("not_http1");
  expect(requestBytes(request([], { scheme: "ftp" }), SEND_ABSOLUTE_FORM)).toBe("not_http1");
});

const RESPONSES: [number, string, string, string][] = [
  [200, "", "HTTP/1.1 200 OK\r\n", "registered phrase"],
  [200, "OK", "HTTP/1.1 200 OK\r\n", "the same given"],
  [200, "Fine \u00e9", "HTTP/1.1 200 Fine \u00e9\r\n", "own phrase"],
  [299, "", "HTTP/1.1 299 \r\n", "no phrase is registered"],
  [299, "Own", "HTTP/1.1 299 Own\r\n", "own phrase for an own status"],
];
test.each(RESPONSES)("appendResponseHead() writes the line of %d %j", (status, reason, line) => {
  const block = response(["x", "1"], status);
  expect(responseBytes(block, SEND_CHUNKED, reason)).toBe(`${line}x: 1\r\ntransfer-encoding: chunked\r\n\r\n`);
  expect(responseBytes(block, 0, reason)).toBe(`${line}x: 1\r\n\r\n`);
  const old = line.replace("HTTP/1.1", "HTTP/1.0");
  expect(responseBytes(block, SEND_HTTP10 | SEND_CLOSE, reason)).toBe(`${old}x: 1\r\nconnection: close\r\n\r\n`);
});

test("appendResponseHead() writes an upgrade", () => {
  expect(responseBytes(response([], 101), SEND_UPGRADE, "", "websocket")).toBe(
    "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
  );
});

const BAD_RESPONSES: [HeaderBlock, string, string][] = [
  [response([], 99), "", "bad_status_line"],
  [response([], 1000), "", "bad_status_line"],
  [request(), "", "bad_status_line"],
  [response(), "OK\r\nX: 1", "bad_status_line"],
  [response(["set-cookie", "a\r\nb"]), "", "bad_field_value"],
  [response(["connection", "close"]), "", "connection_field"],
];
test.each(BAD_RESPONSES.map((row, i) => [i, ...row] as const))(
  "appendResponseHead() refuses bad response %d",
  (_, block, reason, code) => {
    expect(responseBytes(block, 0, reason)).toBe(code);
  },
);

test("appendTrailers() writes the last chunk without fields that must not come late", () => {
  const block = headerBlock(NO_START, ["grpc-status", "0", "content-length", "5", "tulle-x", "1", "grpc-message", ""]);
  const wanted = "0\r\ngrpc-status: 0\r\ngrpc-message: \r\n\r\n";
  expect(written((sink) => appendTrailers(sink, block))).toBe(wanted);
  expect(written((sink) => appendTrailers(sink, block))).toBe(wanted);
});

test("appendTrailers() refuses line breaks", () => {
  expect(written((sink) => appendTrailers(sink, headerBlock(NO_START, ["a", "b\r\n"])))).toBe("bad_field_value");
});

const SIZES = [1, 9, 10, 15, 16, 255, 256, 65535, 65536, 2 ** 32, Number.MAX_SAFE_INTEGER];
test.each(SIZES)("appendChunkHeader() writes %d in hexadecimal", (n) => {
  const sink = new ByteSink(0);
  appendChunkHeader(sink, n);
  appendChunkEnd(sink);
  appendLastChunk(sink);
  expect(latin1(sink.buffer, 0, sink.length)).toBe(`${n.toString(16)}\r\n\r\n0\r\n\r\n`);
});
