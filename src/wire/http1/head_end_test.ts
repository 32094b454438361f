import { expect, test } from "bun:test";
import fc from "fast-check";
import { nameForCode } from "./error_code.ts";
import { findHeadEnd, skipLeadingCrlf } from "./head_end.ts";
import { MAX_HEAD_BYTES } from "./limits.ts";

function find(text: string): number | string {
  const buf = Buffer.from(text, "latin1");
  const end = findHeadEnd(buf, 0, buf.length, 0);
  return end < 0 ? nameForCode(end) : end;
}

const ROWS: [string, number | string, string][] = [
  ["A / HTTP/1.0\r\n\r\n", 16, "complete"],
  ["A / HTTP/1.0\r\n\r\nbody\r\n\r\n", 16, "the first empty line counts"],
  ["A / HTTP/1.0\r\nB: c\r\n", 0, "incomplete"],
  ["A / HTTP/1.0\r\nB: c\r\n\r", 0, "last byte missing"],
  ["", 0, "nothing"],
  ["A / HTTP/1.0\r", 0, "a CR that may get its LF"],
  ["A / HTTP/1.0\nB: c\n\n", "bad_line_end", "bare LF"],
  ["\nA", "bad_line_end", "bare LF first"],
  ["A / HTTP/1.0\rB", "bad_line_end", "bare CR"],
  ["A\0", "control_byte", "NUL"],
];
test.each(ROWS)("findHeadEnd() of %j is %p: %s", (text, wanted) => {
  expect(find(text)).toBe(wanted);
});

test("findHeadEnd() does not look behind the received bytes", () => {
  const buf = Buffer.alloc(10_000);
  buf.write("A / HTTP/1.0\r\n\r\n");
  expect(findHeadEnd(buf, 0, 15, 0)).toBe(0);
  expect(findHeadEnd(buf, 0, 16, 15)).toBe(16);
  expect(findHeadEnd(buf.subarray(0, 20), 0, 15, 0)).toBe(0);
});

test("findHeadEnd() refuses heads above the limit and says what was too long", () => {
  const line = "A / HTTP/1.1\r\nX: ";
  expect(find(line + "x".repeat(MAX_HEAD_BYTES - line.length - 4) + "\r\n\r\n")).toBe(MAX_HEAD_BYTES);
  expect(find(line + "x".repeat(MAX_HEAD_BYTES - line.length - 3) + "\r\n\r\n")).toBe("head_too_long");
  expect(find(line + "x".repeat(MAX_HEAD_BYTES))).toBe("head_too_long");
  expect(find("A /" + "x".repeat(MAX_HEAD_BYTES))).toBe("target_too_long");
});

const lineEndPieces = fc.array(fc.constantFrom("\r", "\n", "\r\n", "a", ": ", "\0", "\r\n\r\n"), { maxLength: 24 });

test("findHeadEnd() resumed at any chop says the same as one call over all bytes", () => {
  fc.assert(
    fc.property(lineEndPieces, fc.array(fc.nat(8), { maxLength: 20 }), (pieces, steps) => {
      const buf = Buffer.from(pieces.join(""), "latin1");
      let from = 0;
      let result = 0;
      for (const step of [...steps, buf.length]) {
        const end = Math.min(from + step, buf.length);
        result = findHeadEnd(buf, 0, end, from);
        if (result !== 0) break;
        from = end;
      }
      const whole = findHeadEnd(buf, 0, buf.length, 0);
      // A chopped search may meet the bad byte before the end that a whole search finds; the parser then refuses the head.
      if (result < 0 && whole > 0) expect(hasBadLine(buf.subarray(0, whole))).toBe(true);
      else expect(result < 0).toBe(whole < 0);
      if (result > 0) expect(result).toBe(whole);
    }),
    { numRuns: 2000 },
  );
});

function hasBadLine(bytes: Buffer): boolean {
  return /(^|[^\r])\n|\r(?!\n)|\0/.test(bytes.toString("latin1"));
}

test("skipLeadingCrlf() skips a few empty lines and nothing else", () => {
  const skip = (text: string) => skipLeadingCrlf(Buffer.from(text), 0, text.length);
  expect(skip("GET")).toBe(0);
  expect(skip("\r\nGET")).toBe(2);
  expect(skip("\r\n\r\nGET")).toBe(4);
  expect(skip("\r")).toBe(0);
  expect(skip("\nGET")).toBe(0);
  expect(skip("\r\n".repeat(100))).toBe(8);
});
