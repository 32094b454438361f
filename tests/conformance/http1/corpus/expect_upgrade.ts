/** Expect and Upgrade: places where one side believes that the other has stopped speaking HTTP, or has not begun. */
import { type Answer, CANARY, chunked, expectation, length, request, type RequestVariant, TARGET } from "./variant.ts";

const EXPECT =
  "RFC 9110 §10.1.1: the body follows its head whether or not a 100 came; a final answer does not cancel it";
const UPGRADE = "RFC 9110 §7.8: the protocol changes with 101 and not before; until then bytes are HTTP";

const SEEN = `X-Seen: POST ${TARGET} 0\r\n`;
const EARLY_OK: Answer = { bytes: `HTTP/1.1 200 OK\r\nContent-Length: 0\r\n${SEEN}\r\n`, early: true };
const FAILED: Answer = { bytes: `HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n${SEEN}\r\n`, early: true };
const FAILED_CLOSE: Answer = {
  bytes: `HTTP/1.1 417 Expectation Failed\r\nConnection: close\r\nContent-Length: 0\r\n${SEEN}\r\n`,
  early: true,
  close: true,
};
const CONTINUE_OK: Answer = {
  bytes: `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n${SEEN}\r\n`,
  early: true,
};
const TWO_HUNDREDS: Answer = {
  bytes:
    `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n${SEEN}\r\n`,
  early: true,
};

const BODY_PASSES = "=the body goes on as a body";

function expects(
  name: string,
  pieces: readonly string[],
  mark: string,
  passes?: string | undefined,
  answer?: Answer,
): RequestVariant {
  const base = {
    class: "Expect",
    name,
    bytes: pieces,
    mark,
    rule: EXPECT,
    targets: [TARGET],
    expect: expectation(passes),
  };
  return answer === undefined ? base : { ...base, answer };
}

function upgrades(
  name: string,
  pieces: readonly string[],
  mark: string,
  passes?: string | undefined,
  answer?: Answer,
  targets = [TARGET],
): RequestVariant {
  const base = { class: "Upgrade", name, bytes: pieces, mark, rule: UPGRADE, targets, expect: expectation(passes) };
  return answer === undefined ? base : { ...base, answer };
}

const E100 = "Expect: 100-continue\r\n";
const GET = `GET ${TARGET} HTTP/1.1`;
const HEAD_WITH_LENGTH = request(`${E100}${length(CANARY)}`);
const WS =
  "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const SEEN_GET = `X-Seen: GET ${TARGET} 0\r\n`;
const NOT_UPGRADED = (status: string): Answer => ({
  bytes: `HTTP/1.1 ${status}\r\nContent-Length: 0\r\n${SEEN_GET}\r\n`,
});
const SWITCHED: Answer = {
  bytes: `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${SEEN_GET}\r\n`,
};
/** Without a 101 it is HTTP like what came before: decided on by itself. */
const SECOND = request("", "", `GET ${TARGET}b HTTP/1.1`);
const BOTH = [TARGET, `${TARGET}b`];
const IGNORED = "~the upgrade is not offered to the application, or it may ignore it; what follows is HTTP";
const KEPT = "=an upgrade is passed on; what follows the request waits for 101";

export const EXPECT_UPGRADE: readonly RequestVariant[] = [
  expects("body at once", [HEAD_WITH_LENGTH + CANARY], CANARY, BODY_PASSES),
  expects("body after a wait", [HEAD_WITH_LENGTH, CANARY], CANARY, BODY_PASSES),
  expects(
    "chunked body at once",
    [request(`${E100}Transfer-Encoding: chunked\r\n`, chunked(CANARY))],
    E100,
    BODY_PASSES,
  ),
  expects("0.CL: a final answer before the body, which comes", [HEAD_WITH_LENGTH, CANARY], E100, BODY_PASSES, EARLY_OK),
  expects("0.CL: a final answer, and body at once", [HEAD_WITH_LENGTH + CANARY], E100, BODY_PASSES, EARLY_OK),
  expects("417, then the body all the same", [HEAD_WITH_LENGTH, CANARY], E100, BODY_PASSES, FAILED),
  expects("417 and close, then the body", [HEAD_WITH_LENGTH, CANARY], E100, BODY_PASSES, FAILED_CLOSE),
  expects("double: 100 and 200 before the body", [HEAD_WITH_LENGTH, CANARY], E100, BODY_PASSES, CONTINUE_OK),
  expects("two 100s and 200 before the body", [HEAD_WITH_LENGTH, CANARY], E100, BODY_PASSES, TWO_HUNDREDS),
  expects("two 100s and 200, body at once", [HEAD_WITH_LENGTH + CANARY], E100, BODY_PASSES, TWO_HUNDREDS),
  expects("GET with 100-continue and a body", [request(`${E100}${length(CANARY)}`, CANARY, GET)], CANARY, BODY_PASSES),
  expects("GET with 100-continue and no body", [request(E100, "", GET)], E100, "=the server decides"),
  expects("length 0", [request(`${E100}Content-Length: 0\r\n`)], E100, "=the server decides"),
  expects("capitals", [request(`Expect: 100-CONTINUE\r\n${length("abc")}`, "abc")], "100-CONTINUE", BODY_PASSES),
  expects(
    "with a space behind",
    [request(`Expect: 100-continue \r\n${length("abc")}`, "abc")],
    "100-continue \r\n",
    "~the white space around a value is not part of it",
  ),
  expects(
    "obfuscated: y 100-continue",
    [request(`Expect: y 100-continue\r\n${length(CANARY)}`, CANARY)],
    "y 100-continue",
    "=no expectation we know: the server answers 417 or ignores it",
  ),
  expects(
    "obfuscated: 100-continue, x",
    [request(`Expect: 100-continue, x\r\n${length(CANARY)}`, CANARY)],
    "100-continue, x",
    "=as above",
  ),
  expects(
    "obfuscated: 100-continue;a=b",
    [request(`Expect: 100-continue;a=b\r\n${length(CANARY)}`, CANARY)],
    ";a=b",
    "=as above",
  ),
  expects("twice", [request(`${E100}${E100}${length(CANARY)}`, CANARY)], E100, BODY_PASSES),
  expects("empty", [request(`Expect:\r\n${length(CANARY)}`, CANARY)], "Expect:", "=as above"),
  expects("a fold", [request(`Expect:\r\n 100-continue\r\n${length(CANARY)}`, CANARY)], "Expect:\r\n 1"),
  expects("vertical tab", [request(`Expect: \x0b100-continue\r\n${length(CANARY)}`, CANARY)], "\x0b1"),
  expects("space before the colon", [request(`Expect : 100-continue\r\n${length(CANARY)}`, CANARY)], "Expect :"),
  expects("bare LF before it", [request(`X-A: 1\nExpect: 100-continue\r\n${length(CANARY)}`, CANARY)], "1\nExpect"),
  expects("both lengths behind it", [request(`${E100}${length(CANARY)}Transfer-Encoding: chunked\r\n`, CANARY)], E100),
  upgrades(
    "websocket, refused with 400, then a request",
    [request(WS, "", GET)],
    "Upgrade: websocket",
    KEPT,
    NOT_UPGRADED("400 Bad Request"),
  ),
  upgrades(
    "websocket, refused with 426, then a request",
    [request(WS, "", GET)],
    "Upgrade: websocket",
    KEPT,
    NOT_UPGRADED("426 Upgrade Required"),
  ),
  upgrades(
    "websocket, answered 200, then a request",
    [request(WS, "", GET)],
    "Upgrade: websocket",
    KEPT,
    NOT_UPGRADED("200 OK"),
  ),
  upgrades(
    "wrong version of websocket",
    [request(WS.replace("13", "777"), "", GET)],
    "777",
    KEPT,
    NOT_UPGRADED("426 Upgrade Required"),
  ),
  upgrades(
    "wrong key of websocket",
    [request(WS.replace("dGhl", "!!!!"), "", GET)],
    "!!!!",
    KEPT,
    NOT_UPGRADED("400 Bad Request"),
  ),
  upgrades(
    "another request at once behind it, refused",
    [request(WS, SECOND, GET)],
    "Upgrade: websocket",
    KEPT,
    NOT_UPGRADED("400 Bad Request"),
    BOTH,
  ),
  upgrades(
    "another request at once behind it, answered 200",
    [request(WS, SECOND, GET)],
    "Upgrade: websocket",
    KEPT,
    NOT_UPGRADED("200 OK"),
    BOTH,
  ),
  upgrades(
    "with a body that holds a canary",
    [request(`${WS}${length(CANARY)}`, CANARY, `POST ${TARGET} HTTP/1.1`)],
    "Upgrade: websocket",
    KEPT,
    { bytes: `HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n${SEEN}\r\n` },
  ),
  upgrades(
    "with a chunked body",
    [request(`${WS}Transfer-Encoding: chunked\r\n`, chunked(CANARY), `POST ${TARGET} HTTP/1.1`)],
    "Upgrade: websocket",
    "~behind a chunked body an upgrade is not offered",
  ),
  upgrades(
    "101 in earnest: what follows is the application's",
    [request(WS, "", GET)],
    "Upgrade: websocket",
    KEPT,
    SWITCHED,
  ),
  upgrades(
    "h2c",
    [request(
      "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n",
      "",
      GET,
    )],
    "h2c",
    IGNORED,
  ),
  upgrades(
    "h2c in capitals",
    [request(
      "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: H2C\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n",
      "",
      GET,
    )],
    "h2c",
    IGNORED,
  ),
  upgrades(
    "h2c without HTTP2-Settings in Connection",
    [request("Connection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n", "", GET)],
    "h2c",
    IGNORED,
  ),
  upgrades(
    "h2c in a list",
    [request("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: foo, h2c\r\nHTTP2-Settings: AAMAAABk\r\n", "", GET)],
    "h2c",
    IGNORED,
  ),
  upgrades(
    "h2c in a list behind websocket",
    [request(`${WS}Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n`, "", GET)],
    "h2c",
    IGNORED,
  ),
  upgrades(
    "h2c with a body",
    [request(
      `Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n${length(CANARY)}`,
      CANARY,
    )],
    "h2c",
    IGNORED,
  ),
  upgrades("h2c with vertical tab", [request("Connection: Upgrade\r\nUpgrade: \x0bh2c\r\n", "", GET)], "\x0bh2c"),
  upgrades("h2c with a parameter", [request("Connection: Upgrade\r\nUpgrade: h2c;a=b\r\n", "", GET)], "h2c;a", IGNORED),
  upgrades("h2c with a version", [request("Connection: Upgrade\r\nUpgrade: h2c/1\r\n", "", GET)], "h2c/1", IGNORED),
  upgrades("h2", [request("Connection: Upgrade\r\nUpgrade: h2\r\n", "", GET)], "Upgrade: h2", IGNORED),
  upgrades(
    "HTTP/2.0",
    [request("Connection: Upgrade\r\nUpgrade: HTTP/2.0\r\n", "", GET)],
    "HTTP/2.0",
    "=no protocol that we or anyone would speak",
  ),
  upgrades(
    "TLS/1.3",
    [request("Connection: Upgrade\r\nUpgrade: TLS/1.3\r\n", "", GET)],
    "TLS/1.3",
    "=the server's business",
  ),
  upgrades(
    "without Connection",
    [request("Upgrade: websocket\r\n", "", GET)],
    "Upgrade: websocket",
    "~RFC 9110 §7.8: without `Connection: upgrade` it is nothing",
  ),
  upgrades(
    "named in Connection, and no field",
    [request("Connection: upgrade\r\n", "", GET)],
    "Connection: upgrade",
    "~nothing to upgrade to",
  ),
  upgrades("empty", [request("Connection: upgrade\r\nUpgrade:\r\n", "", GET)], "Upgrade:", "~nothing to upgrade to"),
];
