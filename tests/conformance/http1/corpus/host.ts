/** Who the request is for: Host, absolute form, CONNECT, OPTIONS. */
import { length, type RequestVariant, type Row, table, TARGET } from "./variant.ts";

const HOST_RULE = 'RFC 9112 §3.2, RFC 9110 §7.2: exactly one Host, which is uri-host [":" port]';
const ABSOLUTE = "RFC 9112 §3.2.2: the authority of an absolute target replaces Host";
const CONNECT = "RFC 9110 §9.3.6, RFC 9112 §3.2.3: CONNECT host:port, without a body; bytes behind it wait for a 2xx";

const GET = `GET ${TARGET} HTTP/1.1\r\n`;

function host(name: string, lines: string, passes?: string | undefined, mark = lines): Row {
  return passes === undefined ? [name, `${GET}${lines}\r\n\r\n`, mark] : [name, `${GET}${lines}\r\n\r\n`, mark, passes];
}

function absolute(name: string, target: string, passes?: string | undefined, mark = target): Row {
  const bytes = `GET ${target} HTTP/1.1\r\nHost: web\r\n\r\n`;
  return passes === undefined ? [name, bytes, mark] : [name, bytes, mark, passes];
}

const ORIGIN = "~one authority goes on as Host, and the path in origin form";
const NAMES_HOST = "=a host that the grammar allows; who it is decides the server";

export const HOSTS: readonly RequestVariant[] = [
  ...table("Host", HOST_RULE, [
    ["missing", `${GET}\r\n`, GET],
    host("twice, equal", "Host: web\r\nHost: web"),
    host("twice, differing", "Host: web\r\nHost: evil"),
    host("twice, differing case of the name", "Host: web\r\nHOST: evil"),
    host("twice, second folded", "Host: web\r\n Host: evil"),
    host("twice, first with space before the colon", "Host : evil\r\nHost: web"),
    host("twice, one empty", "Host:\r\nHost: web"),
    host("a list", "Host: web, evil"),
    host("empty", "Host:", "=RFC 9112 §3.2 asks for an empty Host where there is no authority", "Host:"),
    host("space inside", "Host: web evil"),
    host("userinfo", "Host: user@web"),
    host("userinfo and password", "Host: user:pass@web"),
    host("path", "Host: web/path"),
    host("query", "Host: web?a"),
    host("fragment", "Host: web#a"),
    host("backslash", "Host: web\\evil"),
    host("scheme", "Host: http://web"),
    host("port that is no number", "Host: web:http"),
    host("port above 65535", "Host: web:65536"),
    host("port minus one", "Host: web:-1"),
    host("two ports", "Host: web:80:80"),
    host("port with space", "Host: web: 80"),
    host("NUL", "Host: web\0"),
    host("tab inside", "Host: web\tevil"),
    host("byte above ASCII", "Host: w\xe9b"),
    host("IPv6", "Host: [::1]:8080", NAMES_HOST, "[::1]:8080"),
    host("IPv6 without end", "Host: [::1"),
    host("IPv6 without brackets", "Host: ::1"),
    host("brackets around a name", "Host: [web]"),
    host("brackets with text behind", "Host: [::1]evil"),
    host("empty port", "Host: web:", NAMES_HOST, "web:"),
    host("capitals", "Host: WEB", NAMES_HOST, "WEB"),
    host("percent-encoded", "Host: w%65b", NAMES_HOST, "w%65b"),
    host("quotes", 'Host: "web"'),
    host("angle brackets", "Host: <web>"),
    host("600 bytes", `Host: ${"a".repeat(600)}`),
    host(
      "X-Forwarded-Host beside it",
      "Host: web\r\nX-Forwarded-Host: evil",
      "=another field",
      "X-Forwarded-Host: evil",
    ),
  ]),
  ...table("absolute form", ABSOLUTE, [
    absolute("same authority", `http://web${TARGET}`, ORIGIN),
    absolute("other authority than Host", `http://other${TARGET}`, ORIGIN),
    absolute("other port than Host", `http://web:81${TARGET}`, ORIGIN),
    absolute("scheme in capitals", `HTTP://web${TARGET}`, ORIGIN),
    absolute("https", `https://web${TARGET}`, ORIGIN),
    absolute("userinfo", `http://user@web${TARGET}`),
    absolute("userinfo that looks like a host", `http://web:80@evil${TARGET}`),
    absolute("empty authority", `http://${TARGET}`),
    absolute("backslash in the authority", `http://web\\evil${TARGET}`),
    absolute("fragment", `http://web${TARGET}#a`),
    absolute("comma in the authority", `http://web,evil${TARGET}`),
    absolute("space in the authority", `http://web evil${TARGET}`),
    absolute("port too large", `http://web:99999${TARGET}`),
    absolute("port alone", `http://:80${TARGET}`),
    absolute("three slashes", `http:///web${TARGET}`),
    absolute("one slash", `http:/web${TARGET}`),
    absolute("NUL in the authority", `http://we\0b${TARGET}`),
    absolute("question mark behind the authority", `http://web?${TARGET}`, ORIGIN),
    ["without Host", `GET http://web${TARGET} HTTP/1.1\r\n\r\n`, "http://web"],
    ["with two Hosts", `GET http://web${TARGET} HTTP/1.1\r\nHost: web\r\nHost: web\r\n\r\n`, "http://web"],
    ["in HTTP/1.0, without Host", `GET http://web${TARGET} HTTP/1.0\r\n\r\n`, "http://web", ORIGIN],
  ]),
  ...table("OPTIONS", "RFC 9112 §3.2.4: asterisk form for OPTIONS alone", [
    ["asterisk and more", `OPTIONS *${TARGET} HTTP/1.1\r\nHost: web\r\n\r\n`, "*/v"],
    ["path", `OPTIONS ${TARGET} HTTP/1.1\r\nHost: web\r\n\r\n`, `OPTIONS ${TARGET}`, "=a plain request"],
    ["two asterisks", `OPTIONS ** HTTP/1.1\r\nHost: web\r\n\r\n`, "**"],
  ]),
  ...table("CONNECT", CONNECT, [
    ["a path", `CONNECT ${TARGET} HTTP/1.1\r\nHost: web\r\n\r\n`, `CONNECT ${TARGET}`],
    ["no port", "CONNECT v@@@@ HTTP/1.1\r\nHost: web\r\n\r\n", "CONNECT v"],
    ["userinfo", "CONNECT a@v@@@@:80 HTTP/1.1\r\nHost: web\r\n\r\n", "CONNECT a@"],
    ["absolute form", `CONNECT http://web${TARGET} HTTP/1.1\r\nHost: web\r\n\r\n`, "CONNECT http"],
    ["a length", `CONNECT v@@@@:80 HTTP/1.1\r\nHost: web\r\n${length("abc")}\r\nabc`, "Content-Length"],
    [
      "chunked",
      "CONNECT v@@@@:80 HTTP/1.1\r\nHost: web\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "Transfer-Encoding",
    ],
    ["lower case", "connect v@@@@:80 HTTP/1.1\r\nHost: web\r\n\r\n", "connect"],
  ]),
];
