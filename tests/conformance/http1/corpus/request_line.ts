/** The request line: methods, white space, versions, targets. */
import { HOST, type RequestVariant, type Row, table, TARGET } from "./variant.ts";

const LINE = "RFC 9112 §3: method SP request-target SP HTTP-version CRLF, and nothing more";
const VERSION = "RFC 9112 §2.3, §3: HTTP/1.0 and HTTP/1.1; HTTP/0.9 is gone";
const FORMS = "RFC 9112 §3.2: origin form, absolute form, and for CONNECT and OPTIONS their own";

function line(name: string, text: string, passes?: string, mark = text): Row {
  return passes === undefined
    ? [name, `${text}\r\n${HOST}\r\n`, mark]
    : [name, `${text}\r\n${HOST}\r\n`, mark, passes];
}

const TOKEN = "=any token is a method; the server decides (RFC 9110 §9.1)";

export const REQUEST_LINE: readonly RequestVariant[] = [
  ...table("method", LINE, [
    line("lower case", `get ${TARGET} HTTP/1.1`, TOKEN, `get ${TARGET}`),
    line("unknown", `FROBNICATE ${TARGET} HTTP/1.1`, TOKEN, "FROBNICATE"),
    line("with a hyphen", `M-SEARCH ${TARGET} HTTP/1.1`, TOKEN, "M-SEARCH"),
    line("with token marks", `G!T ${TARGET} HTTP/1.1`, TOKEN, "G!T"),
    line("parenthesis", `G(T ${TARGET} HTTP/1.1`),
    line("colon", `GET: ${TARGET} HTTP/1.1`),
    line("slash", `GET/ ${TARGET} HTTP/1.1`),
    line("quotes", `"GET" ${TARGET} HTTP/1.1`),
    line("NUL inside", `G\0T ${TARGET} HTTP/1.1`),
    line("NUL behind", `GET\0 ${TARGET} HTTP/1.1`),
    line("byte above ASCII", `G\xcbT ${TARGET} HTTP/1.1`),
    line("DEL", `GET\x7f ${TARGET} HTTP/1.1`),
    line("comma", `GET,POST ${TARGET} HTTP/1.1`),
    line("empty", ` ${TARGET} HTTP/1.1`),
    line("a canary as method", `GET\tGET /c@@@@ HTTP/1.1`),
    line("100 letters", `${"A".repeat(100)} ${TARGET} HTTP/1.1`),
    line("PRI", `PRI ${TARGET} HTTP/1.1`, TOKEN, `PRI ${TARGET}`),
  ]),
  ...table("white space in the request line", LINE, [
    line("two spaces behind the method", `GET  ${TARGET} HTTP/1.1`),
    line("two spaces before the version", `GET ${TARGET}  HTTP/1.1`),
    line("a tab behind the method", `GET\t${TARGET} HTTP/1.1`),
    line("a tab before the version", `GET ${TARGET}\tHTTP/1.1`),
    line("space behind the version", `GET ${TARGET} HTTP/1.1 `),
    line("tab behind the version", `GET ${TARGET} HTTP/1.1\t`),
    line("space in the target", `GET ${TARGET}?a b HTTP/1.1`),
    line("tab in the target", `GET ${TARGET}?a\tb HTTP/1.1`),
    line("vertical tab behind the method", `GET\x0b${TARGET} HTTP/1.1`),
    line("form feed before the version", `GET ${TARGET}\x0cHTTP/1.1`),
    line("no-break space behind the method", `GET\xa0${TARGET} HTTP/1.1`),
    line("no space before the version", `GET ${TARGET}HTTP/1.1`),
    line("a canary behind the target", `GET ${TARGET} /c@@@@ HTTP/1.1`),
    line("two versions", `GET ${TARGET} HTTP/1.1 HTTP/1.1`),
    line("a bare CR before the version", `GET ${TARGET} \rHTTP/1.1`),
    line("many spaces", `GET${" ".repeat(50)}${TARGET}${" ".repeat(50)}HTTP/1.1`),
  ]),
  ...table("version", VERSION, [
    line("1.0", `GET ${TARGET} HTTP/1.0`, "=HTTP/1.0 without a body", `${TARGET} HTTP/1.0`),
    line("0.9: none", `GET ${TARGET}`),
    line("0.9: a space", `GET ${TARGET} `),
    line("0.9 by name", `GET ${TARGET} HTTP/0.9`),
    line("1.2", `GET ${TARGET} HTTP/1.2`),
    line("1.9", `GET ${TARGET} HTTP/1.9`),
    line("1.10", `GET ${TARGET} HTTP/1.10`),
    line("1.01", `GET ${TARGET} HTTP/1.01`),
    line("01.1", `GET ${TARGET} HTTP/01.1`),
    line("1.", `GET ${TARGET} HTTP/1.`),
    line("1", `GET ${TARGET} HTTP/1`),
    line("2.0", `GET ${TARGET} HTTP/2.0`),
    line("2", `GET ${TARGET} HTTP/2`),
    line("3.7", `GET ${TARGET} HTTP/3.7`),
    line("-1.1", `GET ${TARGET} HTTP/-1.1`),
    line("1,1", `GET ${TARGET} HTTP/1,1`),
    line("lower case", `GET ${TARGET} http/1.1`),
    line("HTTPS", `GET ${TARGET} HTTPS/1.1`),
    line("another protocol", `GET ${TARGET} ICE/1.0`),
    line("a space inside", `GET ${TARGET} HTTP/ 1.1`),
    line("a space before the slash", `GET ${TARGET} HTTP /1.1`),
    line("full-width digit", `GET ${TARGET} HTTP/1.\xef\xbc\x91`),
    line("letters behind", `GET ${TARGET} HTTP/1.1x`),
  ]),
  ...table("target", FORMS, [
    line("empty", "GET  HTTP/1.1"),
    line("without a slash", "GET v@@@@ HTTP/1.1"),
    line("asterisk for GET", "GET * HTTP/1.1"),
    line("question mark alone", "GET ?/v@@@@ HTTP/1.1"),
    line("fragment", `GET ${TARGET}#a HTTP/1.1`),
    line("NUL", `GET ${TARGET}\0 HTTP/1.1`),
    line("SOH", `GET ${TARGET}\x01 HTTP/1.1`),
    line("DEL", `GET ${TARGET}\x7f HTTP/1.1`),
    line("Latin-1", `GET ${TARGET}?\xe9 HTTP/1.1`),
    line("UTF-8", `GET ${TARGET}?\xc3\xa9 HTTP/1.1`),
    line("percent-encoded CR LF", `GET ${TARGET}?%0d%0aX-A:%201 HTTP/1.1`, "=letters like any others", "%0d%0a"),
    line("percent-encoded NUL", `GET ${TARGET}?%00 HTTP/1.1`, "=letters like any others", "%00"),
    line("broken percent sign", `GET ${TARGET}?%zz HTTP/1.1`, "=a server's business", "%zz"),
    line("backslash", `GET ${TARGET}?a\\b HTTP/1.1`, "=not allowed by RFC 3986, but no delimiter of HTTP", "a\\b"),
    line("quotes and angle brackets", `GET ${TARGET}?"<>" HTTP/1.1`, "=as browsers send them; no delimiter of HTTP", '"<>"'),
    line("braces and bars", `GET ${TARGET}?{|}^\` HTTP/1.1`, "=as browsers send them; no delimiter of HTTP", "{|}^`"),
    line("40000 bytes", `GET ${TARGET}?${"a".repeat(40_000)} HTTP/1.1`),
    line("authority for GET", "GET web:80 HTTP/1.1"),
    line("scheme alone", "GET http:// HTTP/1.1"),
    line("scheme and path", "GET http:/v@@@@ HTTP/1.1"),
    line("no scheme", "GET //web/v@@@@ HTTP/1.1", "=a path that begins with two slashes", "//web/"),
    line("another scheme", "GET ftp://web/v@@@@ HTTP/1.1"),
    line("scheme javascript", "GET javascript:alert(1) HTTP/1.1"),
    line("space in the scheme", "GET ht tp://web/v@@@@ HTTP/1.1"),
  ]),
];
