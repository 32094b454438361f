/** Lines of the head: their ends, folds, names and values. */
import { CANARY, HOST, request, type RequestVariant, type Row, table, TARGET } from "./variant.ts";

const LINES = "RFC 9112 §2.2: a recipient may take a bare LF, never a bare CR; we take neither";
const FOLDS = "RFC 9112 §5.2: a proxy rejects obs-fold or replaces it";
const NAMES = "RFC 9110 §5.1, RFC 9112 §5.1: a name is a token, and nothing stands between it and the colon";
const VALUES = "RFC 9110 §5.5: a value has no CR, LF, NUL; other control characters are refused as well";

const GET = `GET ${TARGET} HTTP/1.1`;

function head(name: string, lines: string, mark = lines, passes?: string | undefined): Row {
  const bytes = request(`${lines}\r\n`, "", GET);
  return passes === undefined ? [name, bytes, mark] : [name, bytes, mark, passes];
}

function raw(name: string, bytes: string, mark: string, passes?: string | undefined): Row {
  return passes === undefined ? [name, bytes, mark] : [name, bytes, mark, passes];
}

const TRIMMED = "~the white space around a value is not part of it";
const AS_IS = "=a token, and nothing but a name";

export const FIELDS: readonly RequestVariant[] = [
  ...table("line ends", LINES, [
    raw("bare LF behind the request line", `${GET}\n${HOST}\r\n`, "HTTP/1.1\n"),
    raw("bare LF behind a field", `${GET}\r\nHost: web\nX-A: 1\r\n\r\n`, "web\n"),
    raw("bare LFs alone", `${GET}\nHost: web\n\n`, "\n\n"),
    raw("bare LF for the empty line", `${GET}\r\n${HOST}\n`, "\r\n\n"),
    raw("bare LF in the middle of the end", `${GET}\r\nHost: web\n\r\n${CANARY}`, "web\n\r\n"),
    raw("bare CR behind the request line", `${GET}\r${HOST}\r\n`, "HTTP/1.1\r"),
    raw("bare CR inside a value", `${GET}\r\n${HOST}X-A: 1\r2\r\n\r\n`, "1\r2"),
    raw("bare CR at the end of a value", `${GET}\r\n${HOST}X-A: 1\r\r\n\r\n`, "1\r\r\n"),
    raw("bare CR at the start of a line", `${GET}\r\n${HOST}\rX-A: 1\r\n\r\n`, "\rX-A"),
    raw("bare CR inside a name", `${GET}\r\n${HOST}X\r-A: 1\r\n\r\n`, "X\r-A"),
    raw("bare CR before the empty line", `${GET}\r\n${HOST}\r\r\n`, "\r\r\n"),
    raw("LF CR for CR LF", `${GET}\n\r${HOST}\n\r`, "\n\r"),
    raw(
      "CR LF before the request line",
      `\r\n${GET}\r\n${HOST}\r\n`,
      `\r\n${GET}`,
      "~RFC 9112 §2.2: an empty line before a request is skipped",
    ),
    raw(
      "four empty lines before the request line",
      `${"\r\n".repeat(4)}${GET}\r\n${HOST}\r\n`,
      `\r\n${GET}`,
      "~RFC 9112 §2.2",
    ),
    raw("five empty lines before the request line", `${"\r\n".repeat(5)}${GET}\r\n${HOST}\r\n`, `\r\n${GET}`),
    raw("bare LF before the request line", `\n${GET}\r\n${HOST}\r\n`, `\n${GET}`),
    raw("bare CR before the request line", `\r${GET}\r\n${HOST}\r\n`, `\r${GET}`),
    raw("space before the request line", ` ${GET}\r\n${HOST}\r\n`, ` ${GET}`),
    raw("NUL before the request line", `\0${GET}\r\n${HOST}\r\n`, `\0${GET}`),
    raw("byte order mark before the request line", `\xef\xbb\xbf${GET}\r\n${HOST}\r\n`, "\xef\xbb\xbf"),
    raw("a canary behind a bare LF", `${GET}\r\n${HOST}X-A: 1\n\n${CANARY}`, "1\n\n"),
    raw("a canary behind bare CRs", `${GET}\r\n${HOST}X-A: 1\r\r${CANARY}`, "1\r\r"),
    raw("a canary behind NUL", `${GET}\r\n${HOST}X-A: 1\0\r\n\r\n${CANARY}`, "1\0"),
    raw(
      "NEL as line end",
      `${GET}\r\n${HOST}X-A: 1\x85Content-Length: 37\r\n\r\n`,
      "1\x85",
      "=obs-text is no line end in HTTP",
    ),
    raw(
      "UTF-8 line separator",
      `${GET}\r\n${HOST}X-A: 1\xe2\x80\xa8Content-Length: 37\r\n\r\n`,
      "\xe2\x80\xa8",
      "=obs-text is no line end in HTTP",
    ),
    raw(
      "UTF-8 of U+010D U+010A, cut to CR LF by some",
      `${GET}\r\n${HOST}X-A: 1\xc4\x8d\xc4\x8aX-B: 2\r\n\r\n`,
      "\xc4\x8d",
      "=obs-text is passed on as the bytes it is",
    ),
  ]),
  ...table("obs-fold", FOLDS, [
    head("with a space", "X-A: 1\r\n 2"),
    head("with a tab", "X-A: 1\r\n\t2"),
    head("with several spaces", "X-A: 1\r\n    2"),
    head("of an empty value", "X-A:\r\n 2"),
    head("of nothing", "X-A: 1\r\n "),
    head("of Host", "X-A: 1\r\n Host: evil"),
    head("that hides a length", "X-A: 1\r\n Content-Length: 37"),
    raw("of the first line", `${GET}\r\n X-A: 1\r\n${HOST}\r\n`, "\r\n X-A"),
    raw("of the version", `GET ${TARGET}\r\n HTTP/1.1\r\n${HOST}\r\n`, "\r\n HTTP"),
    raw("with a vertical tab", `${GET}\r\n${HOST}X-A: 1\r\n\x0b2: 3\r\n\r\n`, "\r\n\x0b2"),
  ]),
  ...table("field names", NAMES, [
    head("space before the colon", "X-A : 1"),
    head("tab before the colon", "X-A\t: 1"),
    head("two spaces before the colon", "X-A  : 1"),
    head("vertical tab before the colon", "X-A\x0b: 1"),
    head("no-break space before the colon", "X-A\xa0: 1"),
    head("NUL before the colon", "X-A\0: 1"),
    head("empty name", ": 1"),
    head("colon alone", ":"),
    head("no colon", "X-A"),
    head("space inside", "X A: 1"),
    head("equals sign", "X=A: 1"),
    head("parentheses", "X(A): 1"),
    head("slash", "X/A: 1"),
    head("quotes", '"X-A": 1'),
    head("comma", "X,A: 1"),
    head("semicolon", "X;A: 1"),
    head("at sign", "X@A: 1"),
    head("brackets", "X[A]: 1"),
    head("backslash", "X\\A: 1"),
    head("NUL inside", "X\0A: 1"),
    head("DEL inside", "X\x7fA: 1"),
    head("byte above ASCII", "X\xe9A: 1"),
    head("UTF-8", "X-\xc3\xa9: 1"),
    head("a request line as a field", "GET /c@@@@ HTTP/1.1"),
    head("a canary's line as a name", "GET /c@@@@ HTTP/1.1: x"),
    head("pseudo-header field", ":path: /evil"),
    head("dots and underscores", "X.A_B: 1", "X.A_B", AS_IS),
    head("all token marks", "!#$%&'*+-.^_`|~: 1", "!#$%&'*+-.^_`|~", AS_IS),
    head("digits alone", "123: 1", "123: 1", AS_IS),
    head("100 bytes long", `${"x".repeat(100)}: 1`, "x".repeat(100), AS_IS),
    head("as many fields as nobody takes", "X-A: 1\r\n".repeat(2000) + "X-B: 1", "X-B"),
    head("a head of a megabyte", `X-A: ${"a".repeat(1 << 20)}`, "aaaa"),
  ]),
  ...table("field values", VALUES, [
    head("NUL", "X-A: 1\x002"),
    head("SOH", "X-A: 1\x012"),
    head("backspace", "X-A: 1\b2"),
    head("vertical tab", "X-A: 1\x0b2"),
    head("form feed", "X-A: 1\x0c2"),
    head("escape", "X-A: 1\x1b2"),
    head("unit separator", "X-A: 1\x1f2"),
    head("DEL", "X-A: 1\x7f2"),
    head("tab inside", "X-A: 1\t2", "1\t2", "=a tab may stand inside a value"),
    head("spaces around", "X-A:   1   ", "X-A:   1", TRIMMED),
    head("empty", "X-A:", "X-A:", "=a value may be empty"),
    head("Latin-1", "X-A: \xe9", "\xe9", "=obs-text is passed on as the bytes it is"),
    head("UTF-8", "X-A: \xc3\xa9", "\xc3\xa9", "=obs-text is passed on as the bytes it is"),
    head(
      "overlong UTF-8 of CR LF",
      "X-A: 1\xc0\x8d\xc0\x8aX-B: 2",
      "\xc0\x8d",
      "=obs-text is passed on as the bytes it is",
    ),
    head("percent-encoded CR LF", "X-A: 1%0d%0aX-B: 2", "%0d%0a", "=letters like any others"),
    head("a canary, percent-encoded", "X-A: %0d%0a%0d%0aGET /c@@@@", "%0d%0a%0d%0aGET", "=letters like any others"),
  ]),
];
