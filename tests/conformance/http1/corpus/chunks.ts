/** Chunked bodies: sizes, extensions, line ends, what follows the data, trailers. */
import { CANARY, chunked, request, type RequestVariant, type Row, table } from "./variant.ts";

const RULE =
  "RFC 9112 §7.1: 1*HEXDIG [chunk-ext] CRLF data CRLF … 0 [chunk-ext] CRLF trailers CRLF, and CRLF is two bytes";
const TRAILER_RULE = "RFC 9110 §6.5.1: a sender must not put framing, routing or identity into trailers";
const TE = "Transfer-Encoding: chunked\r\n";

const ANEW = "~right chunks; the body is chunked anew, without extensions";

function body(name: string, text: string, mark = text, passes?: string | undefined): Row {
  const bytes = request(TE, text);
  return passes === undefined ? [name, bytes, mark] : [name, bytes, mark, passes];
}

/** A size line in front of 5 bytes. */
function size(name: string, line: string, passes?: string | undefined): Row {
  return body(name, `${line}\r\nabcde\r\n0\r\n\r\n`, `\r\n\r\n${line}\r\n`, passes);
}

/** A smuggled request where a recipient ends the line at another byte. */
const TAIL = `\r\n0\r\n\r\n`;

export const CHUNKS: readonly RequestVariant[] = [
  ...table("chunk size", RULE, [
    size("a leading zero", "05", ANEW),
    size("seven leading zeros", "00000005", ANEW),
    size("twelve digits of zeros", "000000000005", ANEW),
    size("twenty digits of zeros", "00000000000000000005"),
    size("capital hexadecimal", "5;A", ANEW),
    size("space before", " 5"),
    size("space behind", "5 "),
    size("tab behind", "5\t"),
    size("tab before", "\t5"),
    size("vertical tab behind", "5\x0b"),
    size("NUL behind", "5\0"),
    size("no-break space behind", "5\xa0"),
    size("0x", "0x5"),
    size("0X", "0X5"),
    size("h behind", "5h"),
    size("plus", "+5"),
    size("minus", "-5"),
    size("minus zero", "-0"),
    size("underscore", "0_5"),
    size("underscore behind", "5_"),
    size("point", "5.0"),
    size("exponent", "5e0"),
    size("comma", "5,0"),
    size("quotes", '"5"'),
    size("parenthesis behind", "5)"),
    size("letters behind", "5xyz"),
    size("g", "g"),
    size("empty", ""),
    size("2^32 + 5", "100000005"),
    size("2^53", "20000000000000"),
    size("2^63", "8000000000000000"),
    size("2^64 + 5", "10000000000000005"),
    size("2^64 - 1", "ffffffffffffffff"),
    size("a hundred digits", "f".repeat(100)),
    size("full-width digit", "\xef\xbc\x95"),
    size("carriage return twice", "5\r"),
    size("folded", "5\r\n 0"),
  ]),
  ...table("chunk extension", RULE, [
    size("a name", "5;ext", ANEW),
    size("name and value", "5;a=b", ANEW),
    size("quoted value", '5;a="b c"', ANEW),
    size("quoted semicolon", '5;a="b;c"', ANEW),
    size("several", "5;a=b;c;d=e", ANEW),
    size("empty extension", "5;", ANEW),
    size("semicolons alone", "5;;;", ANEW),
    size("space before the semicolon", "5 ;a=b"),
    size("tab before the semicolon", "5\t;a=b"),
    size("space behind the semicolon", "5; a=b", ANEW),
    size("no semicolon", "5 a=b"),
    size("2000 bytes long", `5;${"a".repeat(2000)}`),
    size("NUL inside", "5;a\0b"),
    size("DEL inside", "5;a\x7f"),
    size("bytes above ASCII", "5;a=\xe9", ANEW),
    size("TERM.EXT: bare LF ends the extension", "5;a\nb"),
    size("TERM.EXT: bare CR ends the extension", "5;a\rb"),
    size("TERM.EXT: bare LF without extension", "5;\nabcde"),
    size("quoted CR LF", '5;a="\r\n"'),
    body("TERM.EXT: bare LF hides a size line", `2;\nxx\r\n${chunked(CANARY)}`, ";\nxx"),
    body("EXT.TERM: the line goes on behind a bare LF", `5;\n${CANARY.length.toString(16)}\r\nabcde${TAIL}`, ";\n"),
    body("EXT.TERM: bare CR then text", `5;\r${CANARY.length.toString(16)}\r\nabcde${TAIL}`, ";\r2"),
    body("EXT.TERM: a canary inside the extension", `5;a\n${CANARY}abcde${TAIL}`, ";a\nGET"),
    body("extension of the last chunk, with a bare LF", `5\r\nabcde\r\n0;a\n\r\n\r\n`, "0;a\n"),
    body("extension of the last chunk", `5\r\nabcde\r\n0;a=b\r\n\r\n`, "0;a=b", ANEW),
    body("a canary as extension of the last chunk", `5\r\nabcde\r\n0;\n${CANARY}`, "0;\nGET"),
  ]),
  ...table("chunk line ends", RULE, [
    body("bare LF behind the size", "5\nabcde\r\n0\r\n\r\n", "5\nabcde"),
    body("bare CR behind the size", "5\rabcde\r\n0\r\n\r\n", "5\rabcde"),
    body("bare LF behind the data", "5\r\nabcde\n0\r\n\r\n", "abcde\n"),
    body("bare CR behind the data", "5\r\nabcde\r0\r\n\r\n", "abcde\r0"),
    body("nothing behind the data", "5\r\nabcde0\r\n\r\n", "abcde0"),
    body("SPILL.TERM: two other bytes behind the data", "5\r\nabcdeXX0\r\n\r\n", "abcdeXX"),
    body("SPILL.TERM: the data runs on", `5\r\nabcdef\r\n0\r\n\r\n`, "abcdef"),
    body("SPILL.TERM: a canary where CR LF belongs", `5\r\nabcde${CANARY}0\r\n\r\n`, "abcdeGET"),
    body("LF CR behind the data", "5\r\nabcde\n\r0\r\n\r\n", "abcde\n\r"),
    body("CR CR LF behind the data", "5\r\nabcde\r\r\n0\r\n\r\n", "abcde\r\r"),
    body("CR LF CR LF behind the data", "5\r\nabcde\r\n\r\n0\r\n\r\n", "abcde\r\n\r\n"),
    body("bare LF behind the last size", "5\r\nabcde\r\n0\n\r\n", "0\n"),
    body("bare CR behind the last size", "5\r\nabcde\r\n0\r\r\n", "0\r\r"),
    body("bare LF at the end", "5\r\nabcde\r\n0\r\n\n", "0\r\n\n"),
    body("two bare LFs at the end", "5\r\nabcde\r\n0\n\n", "0\n\n"),
    body("two bytes other than CR LF at the end", "5\r\nabcde\r\n0\r\nXX", "0\r\nXX"),
    body("several zeros as the last chunk", "5\r\nabcde\r\n0000\r\n\r\n", "\r\n0000\r\n", ANEW),
    body("no last chunk", "5\r\nabcde\r\n", "5\r\nabcde\r\n"),
    body("minus zero as the last chunk", "5\r\nabcde\r\n-0\r\n\r\n", "-0"),
    body("last chunk that begins with a space", "5\r\nabcde\r\n 0\r\n\r\n", " 0\r\n"),
    body("chunks of one byte", "1\r\na\r\n1\r\nb\r\n0\r\n\r\n", "Transfer-Encoding", "=right chunks, if small"),
  ]),
  ...table("trailers", TRAILER_RULE, [
    body("a plain one", "5\r\nabcde\r\n0\r\nX-Sum: 1\r\n\r\n", "X-Sum: 1", "=a trailer that may come late"),
    ...[
      ["Content-Length", "Content-Length: 37"],
      ["Transfer-Encoding", "Transfer-Encoding: chunked"],
      ["Host", "Host: evil"],
      ["Connection", "Connection: close"],
      ["Upgrade", "Upgrade: h2c"],
      ["TE", "TE: trailers"],
      ["Trailer", "Trailer: X-A"],
      ["Expect", "Expect: 100-continue"],
      ["Authorization", "Authorization: Basic YTpi"],
      ["Cookie", "Cookie: a=b"],
      ["Content-Type", "Content-Type: text/evil"],
      ["Content-Encoding", "Content-Encoding: gzip"],
      ["identity of the mesh", "Tulle-Client-Id: spiffe://evil/ns/a/sa/b"],
      ["X-Forwarded-For", "X-Forwarded-For: 10.0.0.1"],
    ].map(([name = "", line = ""]) =>
      body(
        `${name} in the trailers`,
        `5\r\nabcde\r\n0\r\n${line}\r\n\r\n`,
        `0\r\n${line}`,
        "~the field is dropped, the rest passes",
      )
    ),
    body("space before the colon", "5\r\nabcde\r\n0\r\nX-A : 1\r\n\r\n", "X-A :"),
    body("a fold", "5\r\nabcde\r\n0\r\nX-A: 1\r\n 2\r\n\r\n", "X-A: 1\r\n 2"),
    body("a bare LF", "5\r\nabcde\r\n0\r\nX-A: 1\nX-B: 2\r\n\r\n", "1\nX-B"),
    body("a bare CR", "5\r\nabcde\r\n0\r\nX-A: 1\rX-B: 2\r\n\r\n", "1\rX-B"),
    body("a NUL", "5\r\nabcde\r\n0\r\nX-A: 1\x002\r\n\r\n", "1\x002"),
    body("no colon", "5\r\nabcde\r\n0\r\nX-A\r\n\r\n", "X-A\r\n"),
    body("an empty name", "5\r\nabcde\r\n0\r\n: a\r\n\r\n", "\r\n: a"),
    body("a canary in place of trailers", `5\r\nabcde\r\n0\r\n${CANARY}`, "0\r\nGET"),
  ]),
];
