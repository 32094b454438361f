/** Content-Length in every form but the one plain number. */
import { CANARY, length, request, type RequestVariant, type Row, table, TARGET } from "./variant.ts";

const RULE = "RFC 9110 §8.6, RFC 9112 §6.3: one decimal number; anything else is an unrecoverable error";

const SHORT = "abcde";
const LONG = `abcde${CANARY}`;

/** A body of 5 bytes by the first reading, with the canary behind it by the second. */
function two(name: string, lines: string): Row {
  return [name, request(`${lines}\r\n`, LONG), lines];
}

/** One line whose number is read differently. */
function odd(name: string, value: string, passes?: string | undefined): Row {
  const line = `Content-Length:${value}`;
  return passes === undefined
    ? [name, request(`${line}\r\n`, SHORT), line]
    : [name, request(`${line}\r\n`, SHORT), line, passes];
}

const PLAIN = "~a plain number, written anew without what surrounds it";

export const CONTENT_LENGTH: readonly RequestVariant[] = [
  ...table("CL forms", RULE, [
    odd("no space after the colon", "5", PLAIN),
    odd("two spaces", "  5", PLAIN),
    odd("a tab", "\t5", PLAIN),
    odd("space at the end", " 5 ", PLAIN),
    odd("a leading zero", " 05", PLAIN),
    odd("ten leading zeros", " 00000000005", PLAIN),
    odd("twenty leading zeros", ` ${"0".repeat(20)}5`),
    odd("plus", " +5"),
    odd("minus", " -5"),
    odd("minus zero", " -0"),
    odd("hexadecimal", " 0x5"),
    odd("octal", " 0o5"),
    odd("binary", " 0b101"),
    odd("exponent", " 5e0"),
    odd("decimal point", " 5.0"),
    odd("thousands", " 1,000"),
    odd("underscore", " 0_5"),
    odd("letters behind", " 5abc"),
    odd("semicolon behind", " 5;"),
    odd("quotes", ' "5"'),
    odd("empty", ""),
    odd("spaces alone", "   "),
    odd("a space inside", " 5 0"),
    odd("vertical tab before", " \x0b5"),
    odd("vertical tab behind", " 5\x0b"),
    odd("form feed behind", " 5\x0c"),
    odd("NUL behind", " 5\0"),
    odd("NUL before", " \x005"),
    odd("no-break space behind", " 5\xa0"),
    odd("full-width digit", " \xef\xbc\x95"),
    odd("Arabic digit", " \xd9\xa5"),
    odd("superscript digit", " \xb2"),
    odd("infinity", " Infinity"),
    odd("not a number", " NaN"),
    odd("2^31", " 2147483648\0"),
    odd("2^32 + 5", " 4294967301x"),
    odd("2^53", " 9007199254740992"),
    odd("2^63", " 9223372036854775808"),
    odd("2^64 + 5", " 18446744073709551621"),
    odd("a hundred digits", ` ${"9".repeat(100)}`),
    odd("folded", "\r\n 5"),
    odd("fold behind", " 5\r\n 0"),
    odd("bare LF before the number", "\n5"),
    odd("bare CR behind", " 5\r"),
  ]),
  ...table("CL names", RULE, [
    ["space before the colon", request("Content-Length : 42\r\n", LONG), "Content-Length :"],
    ["tab before the colon", request("Content-Length\t: 42\r\n", LONG), "Content-Length\t:"],
    ["space before the name", request(" Content-Length: 42\r\n", LONG), " Content-Length"],
    ["NUL in the name", request("Content-Length\0: 42\r\n", LONG), "Content-Length\0"],
    ["NUL before the name", request("\0Content-Length: 42\r\n", LONG), "\0Content-Length"],
    ["no-break space in the name", request("Content-Length\xa0: 42\r\n", LONG), "Content-Length\xa0"],
    ["a semicolon for the colon", request("Content-Length; 42\r\n", LONG), "Content-Length;"],
    ["no colon", request("Content-Length 42\r\n", LONG), "Content-Length 42"],
    ["two colons", request("Content-Length:: 42\r\n", LONG), "Content-Length::"],
    ["bare CR before the line", request("X-A: b\rContent-Length: 42\r\n", LONG), "\rContent-Length"],
    ["bare LF before the line", request("X-A: b\nContent-Length: 42\r\n", LONG), "\nContent-Length"],
    [
      "an underscore in the name, beside a right length",
      request(`Content_Length: 1\r\n${length(SHORT)}`, SHORT),
      "Content_Length: 1",
      "=another field: it frames nothing",
    ],
    [
      "no hyphen in the name, beside a right length",
      request(`ContentLength: 1\r\n${length(SHORT)}`, SHORT),
      "ContentLength: 1",
      "=another field: it frames nothing",
    ],
    [
      "capitals",
      request("CONTENT-LENGTH: 5\r\n", SHORT),
      "CONTENT-LENGTH: 5",
      "=names have no case (RFC 9110 §5.1); one plain number",
    ],
  ]),
  ...table("CL.CL", RULE, [
    two("differing, short first", "Content-Length: 5\r\nContent-Length: 42"),
    two("differing, long first", "Content-Length: 42\r\nContent-Length: 5"),
    ["equal", request(`${length(SHORT)}${length(SHORT)}`, SHORT), "Content-Length: 5\r\nContent-Length: 5"],
    ["three equal", request(length(SHORT).repeat(3), SHORT), "Content-Length: 5\r\nContent-Length: 5"],
    ["equal as a list", request("Content-Length: 5, 5\r\n", SHORT), "5, 5"],
    ["equal as a list without space", request("Content-Length: 5,5\r\n", SHORT), "5,5"],
    two("differing as a list, short first", "Content-Length: 5, 42"),
    two("differing as a list, long first", "Content-Length: 42, 5"),
    two("list with an empty element", "Content-Length: 5,"),
    two("list that begins empty", "Content-Length: ,5"),
    two("zero and a number", "Content-Length: 0\r\nContent-Length: 42"),
    two("a number and zero", "Content-Length: 42\r\nContent-Length: 0"),
    two("empty and a number", "Content-Length:\r\nContent-Length: 42"),
    two("a number and empty", "Content-Length: 42\r\nContent-Length:"),
    two("different case", "content-length: 5\r\nCONTENT-LENGTH: 42"),
    two("equal value, one with zeros", "Content-Length: 42\r\nContent-Length: 042"),
    two("minus first", "Content-Length: -1\r\nContent-Length: 42"),
    two("plus first", "Content-Length: +5\r\nContent-Length: 42"),
    two("one space before the colon", "Content-Length : 5\r\nContent-Length: 42"),
    two("second behind a fold", "Content-Length: 5\r\n Content-Length: 42"),
    two("second behind a bare LF", "Content-Length: 5\nContent-Length: 42"),
    two("second behind a bare CR", "Content-Length: 5\rContent-Length: 42"),
    two("other fields between", "Content-Length: 5\r\nX-A: 1\r\nX-B: 2\r\nContent-Length: 42"),
  ]),
  {
    class: "CL.0",
    name: "a body to a server that answers early and closes",
    bytes: [request(length(CANARY), CANARY)],
    mark: CANARY,
    rule: RULE,
    targets: [TARGET],
    expect: { outcome: "forwarded", because: "a plain request: the body is a body, whatever it holds" },
    answer: { bytes: "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nX-Seen: POST /v@@@@ 0\r\n\r\n", early: true },
  },
];
