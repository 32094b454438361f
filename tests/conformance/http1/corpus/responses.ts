/** What an application answers to split, poison or confuse: each row is the bytes of its answer to one request. */
import { type Answer, type Expectation, expectation, TARGET } from "./variant.ts";

export interface ResponseVariant {
  readonly class: string;
  readonly name: string;
  /** Method of the request that is answered. */
  readonly method: string;
  readonly answer: Answer;
  readonly mark: string;
  readonly rule: string;
  readonly expect: Expectation;
}

const SEEN = `X-Seen: GET ${TARGET} 0\r\n`;
const HEAD = `HTTP/1.1 200 OK\r\n${SEEN}`;
/** A whole response that must never be taken for the answer to anything. */
const CANARY = "HTTP/1.1 200 OK\r\nX-Seen: GET /c@@@@ 0\r\nContent-Length: 0\r\n\r\n";
const OK = `${HEAD}Content-Length: 2\r\n\r\nok`;

type Row = readonly [
  name: string,
  bytes: string,
  mark: string,
  passes?: string | undefined,
  more?: Partial<Answer> | undefined,
  method?: string | undefined,
];

function table(name: string, rule: string, rows: readonly Row[]): ResponseVariant[] {
  return rows.map(([title, bytes, mark, passes, more = {}, method = "GET"]) => ({
    class: name,
    name: title,
    method,
    answer: { bytes, ...more },
    mark,
    rule,
    expect: expectation(passes),
  }));
}

const framed = (
  name: string,
  lines: string,
  body: string,
  passes?: string | undefined,
): Row => [name, `${HEAD}${lines}\r\n${body}`, lines, passes];
const line = (
  name: string,
  text: string,
  passes?: string | undefined,
): Row => [name, `${text}\r\n${SEEN}Content-Length: 2\r\n\r\nok`, text, passes];
const field = (
  name: string,
  lines: string,
  passes?: string | undefined,
  mark = lines,
): Row => [name, `${HEAD}${lines}Content-Length: 2\r\n\r\nok`, mark, passes];
const chunks = (
  name: string,
  body: string,
  mark = body,
  passes?: string | undefined,
): Row => [name, `${HEAD}Transfer-Encoding: chunked\r\n\r\n${body}`, mark, passes];

const ONE = "~one answer; what stands behind it is not, and the connection is given up";
const CLOSE = { close: true };

export const RESPONSES: readonly ResponseVariant[] = [
  ...table(
    "response framing",
    "RFC 9112 §6.3: a response with two framings, or with a framing that is none, has no known end",
    [
      framed("CL and TE", "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", "2\r\nok\r\n0\r\n\r\n"),
      framed("two lengths, differing", "Content-Length: 2\r\nContent-Length: 61\r\n", `ok${CANARY}`),
      framed("two lengths, equal", "Content-Length: 2\r\nContent-Length: 2\r\n", "ok"),
      framed("a list of lengths", "Content-Length: 2, 2\r\n", "ok"),
      framed("plus", "Content-Length: +2\r\n", "ok"),
      framed("minus", "Content-Length: -1\r\n", "ok"),
      framed("hexadecimal", "Content-Length: 0x2\r\n", "ok"),
      framed("letters behind", "Content-Length: 2 bytes\r\n", "ok"),
      framed("empty", "Content-Length:\r\n", "ok"),
      framed("2^64 + 2", "Content-Length: 18446744073709551618\r\n", "ok"),
      framed("leading zeros", "Content-Length: 002\r\n", "ok", "~a plain number, written anew"),
      framed("space before the colon", "Content-Length : 2\r\n", "ok"),
      framed("folded", "Content-Length:\r\n 2\r\n", "ok"),
      framed("TE xchunked", "Transfer-Encoding: xchunked\r\n", "2\r\nok\r\n0\r\n\r\n"),
      framed("TE identity", "Transfer-Encoding: identity\r\n", "ok"),
      framed("TE gzip, chunked", "Transfer-Encoding: gzip, chunked\r\n", "2\r\nok\r\n0\r\n\r\n"),
      framed("TE chunked, identity", "Transfer-Encoding: chunked, identity\r\n", "2\r\nok\r\n0\r\n\r\n"),
      framed("TE twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "2\r\nok\r\n0\r\n\r\n"),
      framed("TE with vertical tab", "Transfer-Encoding: \x0bchunked\r\n", "2\r\nok\r\n0\r\n\r\n"),
      framed("TE with space before the colon", "Transfer-Encoding : chunked\r\n", "2\r\nok\r\n0\r\n\r\n"),
      framed("TE behind a bare LF", "X-A: b\nTransfer-Encoding: chunked\r\n", "2\r\nok\r\n0\r\n\r\n"),
      [
        "TE in HTTP/1.0",
        `HTTP/1.0 200 OK\r\n${SEEN}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n`,
        "Transfer-Encoding",
      ],
      framed(
        "a length that Connection names",
        "Connection: content-length\r\nContent-Length: 2\r\n",
        "ok",
        "~the length stays, Connection goes",
      ),
      [
        `a length, and the end comes early`,
        `${HEAD}Content-Length: 100\r\n\r\nok`,
        "Content-Length: 100",
        undefined,
        CLOSE,
      ],
      [
        "no framing: until the end",
        `${HEAD}\r\n${CANARY}`,
        CANARY,
        "=a body until the connection ends; what it holds is body",
        CLOSE,
      ],
      [
        "no framing in HTTP/1.0",
        `HTTP/1.0 200 OK\r\n${SEEN}\r\nok`,
        "HTTP/1.0",
        "~a body until the connection ends",
        CLOSE,
      ],
    ],
  ),
  ...table(
    "no body",
    "RFC 9110 §6.4.1, RFC 9112 §6.3: 1xx, 204, 304 and answers to HEAD have no body, whatever they say",
    [
      [
        "204 with a length",
        `HTTP/1.1 204 No Content\r\n${SEEN}Content-Length: 60\r\n\r\n${CANARY}`,
        "Content-Length: 60",
        ONE,
      ],
      [
        "204 with chunks",
        `HTTP/1.1 204 No Content\r\n${SEEN}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
        "Transfer-Encoding",
        ONE,
      ],
      ["204 and a response behind it", `HTTP/1.1 204 No Content\r\n${SEEN}\r\n${CANARY}`, CANARY, ONE],
      [
        "304 with a length and a body",
        `HTTP/1.1 304 Not Modified\r\n${SEEN}Content-Length: 60\r\n\r\n${CANARY}`,
        CANARY,
        ONE,
      ],
      [
        "304 with chunks",
        `HTTP/1.1 304 Not Modified\r\n${SEEN}Transfer-Encoding: chunked\r\n\r\n${CANARY}`,
        CANARY,
        ONE,
      ],
      ["HEAD with a body", `${HEAD}Content-Length: 60\r\n\r\n${CANARY}`, CANARY, ONE, {}, "HEAD"],
      ["HEAD with chunks", `${HEAD}Transfer-Encoding: chunked\r\n\r\n${CANARY}`, CANARY, ONE, {}, "HEAD"],
      [
        "HEAD with a length and no body",
        `${HEAD}Content-Length: 60\r\n\r\n`,
        "Content-Length: 60",
        "=the length that GET would have",
        {},
        "HEAD",
      ],
      ["HEAD without framing, and a response behind it", `${HEAD}\r\n${CANARY}`, CANARY, ONE, {}, "HEAD"],
      [
        "100 with a length and a body",
        `HTTP/1.1 100 Continue\r\nContent-Length: 60\r\n\r\n${CANARY}${OK}`,
        "Content-Length: 60",
      ],
      ["100 with chunks", `HTTP/1.1 100 Continue\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${OK}`, "0\r\n\r\n"],
      ["103 with fields", `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${OK}`, "</a>", "=an interim response"],
      [
        "103 with the mesh's fields",
        `HTTP/1.1 103 Early Hints\r\nTulle-Error: evil\r\n\r\n${OK}`,
        "Tulle-Error",
        "~only the mesh says that",
      ],
      [
        "a hundred 100s",
        `${"HTTP/1.1 100 Continue\r\n\r\n".repeat(100)}${OK}`,
        OK,
        "=interim responses, as many as are allowed",
      ],
      ["a thousand 100s", `${"HTTP/1.1 100 Continue\r\n\r\n".repeat(1000)}${OK}`, OK],
      [
        "101 that nobody asked for",
        `HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: foo\r\n\r\n${CANARY}`,
        CANARY,
      ],
      [
        "101 to h2c that nobody asked for",
        `HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n${CANARY}`,
        CANARY,
      ],
      [
        "199",
        `HTTP/1.1 199 Odd\r\n\r\n${OK}`,
        "199 Odd",
        "~an interim response; its phrase is not carried over the mesh",
      ],
      [
        "205 with a body",
        `HTTP/1.1 205 Reset Content\r\n${SEEN}Content-Length: 2\r\n\r\nok`,
        "205",
        "=framed by its length; that it has none is the application's fault",
      ],
    ],
  ),
  ...table("status line", "RFC 9112 §4: HTTP/1.x SP three digits SP phrase CRLF", [
    [
      "no phrase",
      `HTTP/1.1 200 \r\n${SEEN}Content-Length: 2\r\n\r\nok`,
      "HTTP/1.1 200 \r\n",
      "~an empty phrase is replaced",
    ],
    [
      "no space before the phrase",
      `HTTP/1.1 200\r\n${SEEN}Content-Length: 2\r\n\r\nok`,
      "HTTP/1.1 200\r\n",
      "~often left out",
    ],
    line("status 99", "HTTP/1.1 099 Low"),
    line("status 0", "HTTP/1.1 000 Zero"),
    line("two digits", "HTTP/1.1 20 OK"),
    line("four digits", "HTTP/1.1 2000 OK"),
    line("minus", "HTTP/1.1 -20 OK"),
    line("letters", "HTTP/1.1 2xx OK"),
    line("status 999", "HTTP/1.1 999 High", "=above 599 is a final answer of an unknown class"),
    line("two spaces", "HTTP/1.1  200 OK"),
    line("a tab", "HTTP/1.1\t200 OK"),
    line("version 1.2", "HTTP/1.2 200 OK"),
    line("version 2.0", "HTTP/2.0 200 OK"),
    line("version 0.9", "HTTP/0.9 200 OK"),
    line("lower case", "http/1.1 200 OK"),
    line("another protocol", "ICY 200 OK"),
    line("bare LF in the phrase", "HTTP/1.1 200 O\nK"),
    line("bare CR in the phrase", "HTTP/1.1 200 O\rK"),
    line("NUL in the phrase", "HTTP/1.1 200 O\0K"),
    line("Latin-1 in the phrase", "HTTP/1.1 200 \xe9t\xe9", "=a phrase may have it"),
    line("an empty line before", "\r\nHTTP/1.1 200 OK"),
    line("space before", " HTTP/1.1 200 OK"),
    ["no status line (HTTP/0.9)", "hello\r\n", "hello", undefined, CLOSE],
    ["nothing", "", "never", undefined, CLOSE],
    ["half a head", "HTTP/1.1 200 OK\r\nX-A", "X-A", undefined, CLOSE],
  ]),
  ...table("response fields", "RFC 9110 §5.1, §5.5; RFC 9112 §5: as in requests", [
    field("space before the colon", "X-A : 1\r\n"),
    field("no colon", "X-A\r\n"),
    field("empty name", ": 1\r\n"),
    field("fold", "X-A: 1\r\n 2\r\n"),
    field("bare LF", "X-A: 1\nX-B: 2\r\n"),
    field("bare CR", "X-A: 1\rX-B: 2\r\n"),
    field("NUL", "X-A: 1\x002\r\n"),
    field("byte above ASCII in the name", "X-\xe9: 1\r\n"),
    field("Latin-1 in the value", "X-A: \xe9\r\n", "=obs-text is passed on"),
    field(
      "percent-encoded CR LF",
      `Location: /%0d%0a%0d%0a${encodeURIComponent("HTTP/1.1 200")}\r\n`,
      "=letters like any others",
      "%0d%0a%0d%0a",
    ),
    field("overlong UTF-8 of CR LF", "X-A: 1\xc0\x8d\xc0\x8aX-B: 2\r\n", "=obs-text is passed on"),
    field("the mesh's error", "Tulle-Error: evil\r\n", "~only the mesh says that"),
    field("the mesh's reason phrase", "Tulle-Orig-Reason: evil\r\n", "~only the mesh says that"),
    field("the mesh's upgrade mark", "Tulle-Upgrade: ignored\r\n", "~only the mesh says that"),
    field("Upgrade without 101", "Connection: upgrade\r\nUpgrade: h2c\r\n", "~the connection's own"),
    field("Connection names Set-Cookie", "Connection: x-a\r\nX-A: b\r\n", "~the connection's own", "X-A: b"),
    field("two Hosts", "Host: a\r\nHost: b\r\n"),
  ]),
  ...table("response chunks", "RFC 9112 §7.1: as in requests", [
    chunks("extension", "2;a=b\r\nok\r\n0\r\n\r\n", ";a=b", "~chunked anew"),
    chunks("bare LF in the extension", "2;a\nb\r\nok\r\n0\r\n\r\n", ";a\nb"),
    chunks("bare LF behind the size", "2\nok\r\n0\r\n\r\n", "2\nok"),
    chunks("0x", "0x2\r\nok\r\n0\r\n\r\n"),
    chunks("space behind", "2 \r\nok\r\n0\r\n\r\n"),
    chunks("2^64 + 2", "10000000000000002\r\nok\r\n0\r\n\r\n"),
    chunks("no CR LF behind the data", "2\r\nok0\r\n\r\n"),
    chunks("the end comes early", "5\r\nok"),
    chunks("no last chunk, and close", "2\r\nok\r\n"),
    chunks(
      "Content-Length in the trailers",
      "2\r\nok\r\n0\r\nContent-Length: 60\r\n\r\n",
      "Content-Length: 60",
      "~dropped",
    ),
    chunks("a response in place of trailers", `2\r\nok\r\n0\r\n${CANARY}`, CANARY),
    chunks(
      "a response as data",
      `${CANARY.length.toString(16)}\r\n${CANARY}\r\n0\r\n\r\n`,
      CANARY,
      "=data, whatever it holds",
    ),
  ]).map((one) =>
    one.name.includes("early") || one.name.includes("close") ? { ...one, answer: { ...one.answer, close: true } } : one
  ),
  ...table(
    "response queue",
    "RFC 9112 §9.3, §9.2: an answer that nobody asked for belongs to nobody; the connection is given up",
    [
      ["two answers at once", OK + CANARY, CANARY, ONE],
      ["an answer behind an empty one", `${HEAD}Content-Length: 0\r\n\r\n${CANARY}`, CANARY, ONE],
      [
        "an answer behind chunks",
        `${HEAD}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n${CANARY}`,
        CANARY,
        ONE,
      ],
      ["a second answer, later", OK, CANARY, ONE, { late: CANARY }],
      ["a 100 behind the answer, later", OK, "100 Continue", ONE, { late: "HTTP/1.1 100 Continue\r\n\r\n" }],
      ["CR LF behind the answer", `${OK}\r\n`, "\r\n\r\nok\r\n", ONE],
      ["garbage behind the answer", `${OK}garbage`, "okgarbage", ONE],
      ["408 of a server that gives up, later", OK, "408", ONE, {
        late: "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
      }],
    ],
  ),
];
