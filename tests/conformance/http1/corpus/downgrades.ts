/** HTTP/2 requests that must not become other HTTP/1.1 requests: names, values, pseudo-header fields, lengths, tunnels. */
import { CANARY, type Expectation, expectation, TARGET } from "./variant.ts";

export type Field = readonly [name: string, value: string];

export interface DowngradeVariant {
  readonly class: string;
  readonly name: string;
  /** The header section as it is sent, one character per byte. */
  readonly fields: readonly Field[];
  /** DATA behind it; absent: END_STREAM on HEADERS. */
  readonly data?: string;
  readonly trailers?: readonly Field[];
  readonly mark: string;
  readonly rule: string;
  readonly expect: Expectation;
}

const METHOD: Field = [":method", "GET"];
const POST: Field = [":method", "POST"];
const SCHEME: Field = [":scheme", "http"];
const AUTHORITY: Field = [":authority", "web"];
const PATH: Field = [":path", TARGET];
const BASE = [METHOD, SCHEME, AUTHORITY, PATH] as const;
const BASE_POST = [POST, SCHEME, AUTHORITY, PATH] as const;

interface More {
  readonly data?: string;
  readonly trailers?: readonly Field[];
}

type Row = readonly [
  name: string,
  fields: readonly Field[],
  mark: string,
  passes?: string | undefined,
  more?: More | undefined,
];

function table(name: string, rule: string, rows: readonly Row[]): DowngradeVariant[] {
  return rows.map(([title, fields, mark, passes, more = {}]) => ({
    class: name,
    name: title,
    fields,
    mark,
    rule,
    expect: expectation(passes),
    ...more,
  }));
}

const value = (
  name: string,
  text: string,
  passes?: string | undefined,
): Row => [name, [...BASE, ["x-a", text]], text, passes];
const field = (
  name: string,
  key: string,
  text = "1",
  passes?: string | undefined,
): Row => [name, [...BASE, [key, text]], `${key}: ${text}`, passes];
const pseudo = (name: string, key: string, text: string, passes?: string | undefined): Row => [
  name,
  BASE.map((one) => one[0] === key ? [key, text] as const : one),
  text === "" ? "\0never" : text,
  passes,
];

const INJECTED = `\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${CANARY}`;
const AS_IS = "=right in both versions";
const BODY = "=DATA becomes a body, whatever it holds";

export const DOWNGRADES: readonly DowngradeVariant[] = [
  ...table(
    "h2 values",
    "RFC 9113 §8.2.1: no NUL, CR, LF in a value, no white space around it; the message is malformed",
    [
      value("CR LF and a field", "1\r\nTransfer-Encoding: chunked"),
      value("CR LF and a request", `1${INJECTED}`),
      value("bare LF", "1\nx-b: 2"),
      value("bare CR", "1\rx-b: 2"),
      value("LF LF and a request", `1\n\n${CANARY}`),
      value("NUL", "1\x002"),
      value("SOH", "1\x012"),
      value("vertical tab", "1\x0b2"),
      value("DEL", "1\x7f2"),
      value("space before", " 1"),
      value("space behind", "1 "),
      value("tab before", "\t1"),
      value("CR behind", "1\r"),
      value("LF behind", "1\n"),
      value("tab inside", "1\t2", AS_IS),
      value("Latin-1", "\xe9", AS_IS),
      value("overlong UTF-8 of CR LF", "1\xc0\x8d\xc0\x8a2", AS_IS),
      value("percent-encoded CR LF", "1%0d%0a2", AS_IS),
      ["empty", [...BASE, ["x-a", ""]], "x-a:", AS_IS],
      ["cookie crumbs with CR LF", [...BASE, ["cookie", "a=b"], ["cookie", "c\r\nx: y"]], "c\r\nx"],
      [
        "cookie crumbs",
        [...BASE, ["cookie", "a=b"], ["cookie", "c=d"]],
        "a=b; c=d",
        "=one field in HTTP/1.1 (RFC 9113 §8.2.3)",
      ],
    ],
  ),
  ...table(
    "h2 names",
    "RFC 9113 §8.2.1: a name is a token in lower case; no colon but the first of a pseudo-header field",
    [
      field("capitals", "X-A"),
      field("one capital", "x-A"),
      field("space inside", "x a"),
      field("space behind", "x-a "),
      field("space before", " x-a"),
      field("colon inside", "x-a: b\r\nx-c"),
      field("colon and value", "transfer-encoding: chunked\r\nx"),
      field("colon behind", "x-a:"),
      field("CR LF", "x-a\r\nx-b"),
      field("LF", "x-a\nx-b"),
      field("CR", "x-a\rx-b"),
      field("NUL", "x\0a"),
      field("tab", "x\ta"),
      field("empty", ""),
      field("byte above ASCII", "x-\xe9"),
      field("quotes", 'x"a'),
      field("parenthesis", "x(a"),
      field("a request line", "get /c@@@@ http/1.1\r\nhost"),
      field("unknown pseudo-header field", ":evil"),
      field("a colon alone", ":"),
      field("all token marks", "!#$%&'*+-.^_`|~", "1", AS_IS),
    ],
  ),
  ...table(
    "h2 start line",
    "RFC 9113 §8.3.1: :method is a token, :path has no white space and begins with a slash, :scheme is a scheme",
    [
      pseudo("space in the method", ":method", `GET /c@@@@ HTTP/1.1\r\nHost: web\r\n\r\nGET`),
      pseudo("method and target", ":method", "GET /c@@@@ HTTP/1.1"),
      pseudo("space behind the method", ":method", "GET "),
      pseudo("empty method", ":method", ""),
      pseudo("CR LF in the method", ":method", "GET\r\nX: y"),
      pseudo("NUL in the method", ":method", "G\0T"),
      pseudo("lower-case method", ":method", "get", "=any token is a method"),
      pseudo("unknown method", ":method", "FROBNICATE", "=any token is a method"),
      pseudo("space in the path", ":path", `${TARGET} HTTP/1.1\r\nX: y`),
      pseudo("version in the path", ":path", `${TARGET} HTTP/1.0`),
      pseudo("space and canary in the path", ":path", `${TARGET} HTTP/1.1\r\nHost: web\r\n\r\n${CANARY}`),
      pseudo("CR LF in the path", ":path", `${TARGET}\r\nX-Evil: 1`),
      pseudo("LF in the path", ":path", `${TARGET}\nX-Evil: 1`),
      pseudo("tab in the path", ":path", `${TARGET}\tx`),
      pseudo("NUL in the path", ":path", `${TARGET}\0x`),
      pseudo("DEL in the path", ":path", `${TARGET}\x7fx`),
      pseudo("Latin-1 in the path", ":path", `${TARGET}\xe9`),
      pseudo("fragment in the path", ":path", `${TARGET}#a`),
      pseudo("empty path", ":path", ""),
      pseudo("path without a slash", ":path", "v@@@@"),
      pseudo("absolute path", ":path", `http://evil${TARGET}`),
      pseudo("asterisk for GET", ":path", "*"),
      pseudo("two slashes", ":path", `//evil${TARGET}`, "=a path that begins with two slashes"),
      pseudo("scheme with a request", ":scheme", `http://web${TARGET} HTTP/1.1\r\nX: y`),
      pseudo("scheme with a path", ":scheme", "http://evil/a?"),
      pseudo("empty scheme", ":scheme", ""),
      pseudo("scheme with space", ":scheme", "ht tp"),
      pseudo("unknown scheme", ":scheme", "ftp", "~the scheme is not part of a request in origin form"),
      pseudo("https", ":scheme", "https", "~the scheme is not part of a request in origin form"),
    ],
  ),
  ...table("h2 authority", "RFC 9113 §8.3.1: one authority, without userinfo; Host and :authority agree", [
    pseudo("CR LF", ":authority", "web\r\nX-Evil: 1"),
    pseudo("LF", ":authority", "web\nX-Evil: 1"),
    pseudo("space", ":authority", "web evil"),
    pseudo("NUL", ":authority", "web\0"),
    pseudo("userinfo", ":authority", "user@web"),
    pseudo("path", ":authority", `web${TARGET}`),
    pseudo("comma", ":authority", "web,evil"),
    pseudo("two ports", ":authority", "web:80:80"),
    pseudo("port that is no number", ":authority", "web:x"),
    ["differs from Host", [...BASE, ["host", "evil"]], "evil"],
    ["equals Host", [...BASE, ["host", "web"]], "host: web", AS_IS],
    ["Host twice", [...BASE, ["host", "web"], ["host", "web"]], "host: web\r\nhost"],
    ["Host alone", [METHOD, SCHEME, PATH, ["host", "web"]], "host: web", AS_IS],
    ["Host with CR LF", [METHOD, SCHEME, PATH, ["host", "web\r\nX-Evil: 1"]], "evil"],
    ["neither", [METHOD, SCHEME, PATH], "host:", "=an empty Host stands for no authority (RFC 9112 §3.2)"],
    ["twice", [...BASE, AUTHORITY], "host: web"],
    ["method twice", [METHOD, ...BASE], "GET"],
    ["path twice", [...BASE, [":path", "/c@@@@"]], "/c"],
    ["scheme twice", [SCHEME, ...BASE], "GET"],
    ["pseudo-header field behind a field", [METHOD, SCHEME, AUTHORITY, ["x-a", "1"], PATH], "x-a"],
    ["no method", [SCHEME, AUTHORITY, PATH], TARGET],
    ["no path", [METHOD, SCHEME, AUTHORITY], "host: web"],
    ["no scheme", [METHOD, AUTHORITY, PATH], TARGET],
    [":status in a request", [...BASE, [":status", "200"]], "200"],
  ]),
  ...table("h2 connection fields", "RFC 9113 §8.2.2: fields of one HTTP/1.1 connection make a request malformed", [
    ["transfer-encoding: chunked", [...BASE_POST, ["transfer-encoding", "chunked"]], "transfer-encoding", undefined, {
      data: `0\r\n\r\n${CANARY}`,
    }],
    ["transfer-encoding: identity", [...BASE_POST, ["transfer-encoding", "identity"]], "identity", undefined, {
      data: "abc",
    }],
    ["transfer-encoding in capitals", [...BASE_POST, ["Transfer-Encoding", "chunked"]], "chunked", undefined, {
      data: "0\r\n\r\n",
    }],
    field("connection: close", "connection", "close"),
    field("connection names a field", "connection", "x-a"),
    field("keep-alive", "keep-alive", "timeout=5"),
    field("proxy-connection", "proxy-connection", "close"),
    field("upgrade", "upgrade", "websocket"),
    field("upgrade: h2c", "upgrade", "h2c"),
    field("te: gzip", "te", "gzip"),
    field("te: trailers, gzip", "te", "trailers, gzip"),
    field("te: trailers", "te", "trailers", AS_IS),
    field("http2-settings", "http2-settings", "AAMAAABk"),
  ]),
  ...table("h2 lengths", "RFC 9113 §8.1.1: content-length and DATA agree, or the request is malformed", [
    ["shorter than DATA", [...BASE_POST, ["content-length", "3"]], "content-length: 3", undefined, {
      data: `abc${CANARY}`,
    }],
    ["zero with DATA", [...BASE_POST, ["content-length", "0"]], "content-length: 0", undefined, { data: CANARY }],
    ["longer than DATA", [...BASE_POST, ["content-length", "300"]], "content-length: 300", undefined, { data: "abc" }],
    ["with END_STREAM", [...BASE_POST, ["content-length", "3"]], "content-length: 3"],
    [
      "twice, equal",
      [...BASE_POST, ["content-length", "3"], ["content-length", "3"]],
      "content-length: 3\r\ncontent-length",
      undefined,
      { data: "abc" },
    ],
    [
      "twice, differing",
      [...BASE_POST, ["content-length", "3"], ["content-length", "40"]],
      "content-length: 40",
      undefined,
      { data: `abc${CANARY}` },
    ],
    ["a list", [...BASE_POST, ["content-length", "3, 3"]], "3, 3", undefined, { data: "abc" }],
    ["plus", [...BASE_POST, ["content-length", "+3"]], "+3", undefined, { data: "abc" }],
    ["minus", [...BASE_POST, ["content-length", "-3"]], "-3", undefined, { data: "abc" }],
    ["hexadecimal", [...BASE_POST, ["content-length", "0x3"]], "0x3", undefined, { data: "abc" }],
    ["CR LF", [...BASE_POST, ["content-length", "3\r\nx: y"]], "3\r\nx", undefined, { data: "abc" }],
    ["leading zeros", [...BASE_POST, ["content-length", "003"]], "content-length: 003", undefined, { data: "abc" }],
    ["2^64 + 3", [...BASE_POST, ["content-length", "18446744073709551619"]], "18446744073709551619", undefined, {
      data: "abc",
    }],
    ["right", [...BASE_POST, ["content-length", "3"]], "content-length: 3", AS_IS, { data: "abc" }],
    ["none: a request as DATA", BASE_POST, CANARY, BODY, { data: CANARY }],
    ["GET with a request as DATA", BASE, CANARY, BODY, { data: CANARY }],
    ["HEAD with a request as DATA", [[":method", "HEAD"], SCHEME, AUTHORITY, PATH], CANARY, BODY, { data: CANARY }],
    ["chunks as DATA", BASE_POST, "0\r\n\r\n", BODY, { data: `0\r\n\r\n${CANARY}` }],
    ["Expect and DATA", [...BASE_POST, ["expect", "100-continue"]], "expect: 100-continue", BODY, { data: CANARY }],
  ]),
  ...table("h2 trailers", "RFC 9113 §8.1: trailers have no pseudo-header fields; RFC 9110 §6.5.1: and no framing", [
    ["a plain one", BASE_POST, "x-sum: 1", AS_IS, { data: "abc", trailers: [["x-sum", "1"]] }],
    ["a pseudo-header field", BASE_POST, "/c", undefined, { data: "abc", trailers: [[":path", "/c@@@@"]] }],
    ["CR LF in a value", BASE_POST, "1\r\n\r\nGET", undefined, {
      data: "abc",
      trailers: [["x-a", `1\r\n\r\n${CANARY}`]],
    }],
    ["CR LF in a name", BASE_POST, "x\r\ny", undefined, { data: "abc", trailers: [["x\r\ny", "1"]] }],
    ["content-length", BASE_POST, "content-length", undefined, { data: "abc", trailers: [["content-length", "300"]] }],
    ["transfer-encoding", BASE_POST, "identity", undefined, {
      data: "abc",
      trailers: [["transfer-encoding", "identity"]],
    }],
    ["host", BASE_POST, "evil", undefined, { data: "abc", trailers: [["host", "evil"]] }],
    ["the mesh's identity", BASE_POST, "evil", "~dropped", { data: "abc", trailers: [["tulle-client-id", "evil"]] }],
    ["authorization", BASE_POST, "Basic", "~dropped", { data: "abc", trailers: [["authorization", "Basic YTpi"]] }],
  ]),
  ...table(
    "h2 tunnels",
    "RFC 9113 §8.5, RFC 8441 §4: CONNECT has neither scheme nor path; a tunnel opens with 2xx and not before",
    [
      [":protocol with GET", [...BASE, [":protocol", "websocket"]], "websocket"],
      ["CONNECT with a path", [[":method", "CONNECT"], SCHEME, AUTHORITY, PATH], "CONNECT"],
      ["CONNECT without authority", [[":method", "CONNECT"]], "CONNECT"],
      ["CONNECT to a path", [[":method", "CONNECT"], [":authority", TARGET]], "CONNECT"],
      ["CONNECT to a request", [[":method", "CONNECT"], [
        ":authority",
        `v@@@@:80 HTTP/1.1\r\nHost: web\r\n\r\n${CANARY}`,
      ]], "HTTP/1.1\r\nHost"],
      [
        ":protocol with CR LF",
        [[":method", "CONNECT"], SCHEME, AUTHORITY, PATH, [":protocol", "a\r\nX-Evil: 1"]],
        "Evil",
      ],
      [
        ":protocol with space",
        [[":method", "CONNECT"], SCHEME, AUTHORITY, PATH, [":protocol", "web socket"]],
        "web socket",
      ],
    ],
  ),
];

/** For the mesh port alone: what a peer that has a certificate says in the fields that sidecars tell each other. */
export const SIDECAR_DOWNGRADES: readonly DowngradeVariant[] = table(
  "sidecar's fields",
  "What one sidecar tells another is checked again: a peer with a certificate need not be a sidecar",
  [
    ["a method with a request line", [[":method", "CONNECT"], SCHEME, AUTHORITY, PATH, [":protocol", "foo"], [
      "tulle-orig-method",
      "GET /c@@@@ HTTP/1.1",
    ]], "/c"],
    ["method CONNECT", [[":method", "CONNECT"], SCHEME, AUTHORITY, PATH, [":protocol", "foo"], [
      "tulle-orig-method",
      "CONNECT",
    ]], "CONNECT"],
    ["an empty method", [[":method", "CONNECT"], SCHEME, AUTHORITY, PATH, [":protocol", "foo"], [
      "tulle-orig-method",
      "",
    ]], "foo"],
    ["upgrade to h2c", [[":method", "CONNECT"], SCHEME, AUTHORITY, PATH, [":protocol", "h2c"]], "h2c"],
    [
      "upgrade to h2c in a list",
      [[":method", "CONNECT"], SCHEME, AUTHORITY, PATH, [":protocol", "foo"], ["tulle-orig-upgrade", "foo, h2c"]],
      "h2c",
      "~h2c is left out",
    ],
    ["upgrade to h2c alone in a list", [[":method", "CONNECT"], SCHEME, AUTHORITY, PATH, [":protocol", "foo"], [
      "tulle-orig-upgrade",
      "h2c",
    ]], "h2c"],
    ["upgrade with CR LF", [[":method", "CONNECT"], SCHEME, AUTHORITY, PATH, [":protocol", "foo"], [
      "tulle-orig-upgrade",
      "a\r\nx: y",
    ]], "x: y"],
    [
      "a tunnel that is refused, and a request in it",
      [[":method", "CONNECT"], SCHEME, AUTHORITY, PATH, [":protocol", "foo"]],
      CANARY,
      "~what follows the request waits for 101",
      { data: CANARY },
    ],
    [
      "the identity of another",
      [...BASE, ["tulle-client-id", "spiffe://evil"]],
      "spiffe://evil",
      "~the certificate says who it is",
    ],
    [
      "the identity of another, for proxies",
      [...BASE, ["x-forwarded-client-cert", "URI=spiffe://evil"]],
      "evil",
      "~the certificate says who it is",
    ],
    ["a reason phrase in a request", [...BASE, ["tulle-orig-reason", "evil"]], "evil", "~dropped"],
    [
      "another version",
      [...BASE, ["tulle-orig-proto", "HTTP/1.0"]],
      "HTTP/1.0",
      "=the first one counts: a version like the other",
    ],
  ],
);
