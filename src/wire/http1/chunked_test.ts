import { expect, test } from "bun:test";
import fc from "fast-check";
import { latin1 } from "../../base/latin1.ts";
import { ChunkedDecoder, DATA, END, NEED_MORE } from "./chunked.ts";
import { nameForCode } from "./error_code.ts";
import { MAX_FIELDS } from "./limits.ts";

interface Outcome {
  body: string;
  end: string;
  /** Bytes behind the body. */
  rest: number;
  trailers: readonly string[];
}

/** Feeds a message in pieces of these sizes (the last one takes what is left). */
function decode(bytes: Buffer, sizes: readonly number[]): Outcome {
  const decoder = new ChunkedDecoder();
  let body = "";
  let from = 0;
  for (let i = 0; from < bytes.length || i === 0; i++) {
    const to = Math.min(bytes.length, from + (sizes[i] ?? bytes.length));
    let pos = from;
    for (;;) {
      const event = decoder.next(bytes, pos, to);
      if (event < 0) return { body, end: nameForCode(event), rest: -1, trailers: [] };
      pos = decoder.position;
      if (event === DATA) body += latin1(bytes, decoder.dataStart, decoder.dataEnd);
      else if (event === END) {
        return { body, end: "end", rest: bytes.length - pos, trailers: decoder.trailers?.fields ?? [] };
      } else break;
    }
    expect(pos).toBe(to);
    from = to;
  }
  return { body, end: "more", rest: 0, trailers: [] };
}

/** Mostly valid bodies, with every kind of damage now and then. */
const chunkedText = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: fc.string({ maxLength: 20 }).filter((s) => s !== "").map(chunk) },
    { weight: 1, arbitrary: fc.constantFrom("\r", "\n", "\r\n", ";x", "0", "zz", "\0", "3;a=b\r\nabc\r\n", " ") },
  ),
  { maxLength: 12 },
).chain((parts) =>
  fc.constantFrom("0\r\n\r\n", "0\r\nA: b\r\n\r\nGET", "0;e\r\n\r\nx", "0\r\nA : b\r\n\r\n", "0\r\nA: b\n\r\n").map((
    last,
  ) => parts.join("") + last)
);

function chunk(data: string): string {
  const bytes = Buffer.from(data, "latin1");
  return `${bytes.length.toString(16)}\r\n${data}\r\n`;
}

test("next() gives the same events for any chop of the bytes", () => {
  fc.assert(
    fc.property(chunkedText, fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 200 }), (text, sizes) => {
      const bytes = Buffer.from(text, "latin1");
      const whole = decode(bytes, []);
      expect(decode(bytes, sizes)).toEqual(whole);
      expect(decode(bytes, new Array(bytes.length).fill(1))).toEqual(whole);
    }),
    { numRuns: 600 },
  );
});

test("next() gives an event or a code for any bytes", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const { end } = decode(Buffer.from(bytes), []);
      expect(end).not.toBe("unknown");
    }),
    { numRuns: 1000 },
  );
});

test("next() repeats END without taking bytes of the next message", () => {
  const decoder = new ChunkedDecoder();
  const bytes = Buffer.from("0\r\n\r\nGET");
  expect(decoder.next(bytes, 0, bytes.length)).toBe(END);
  expect(decoder.position).toBe(5);
  expect(decoder.next(bytes, 5, bytes.length)).toBe(END);
  expect(decoder.position).toBe(5);
});

test("next() repeats the code after a failure", () => {
  const decoder = new ChunkedDecoder();
  const bytes = Buffer.from("x5\r\nhello\r\n");
  const code = decoder.next(bytes, 0, bytes.length);
  expect(nameForCode(code)).toBe("bad_chunk_size");
  expect(decoder.next(bytes, 1, bytes.length)).toBe(code);
  expect(decoder.next(bytes, 1, 1)).toBe(code);
});

test("reset() makes the decoder ready for another body", () => {
  const decoder = new ChunkedDecoder();
  const first = Buffer.from("0\r\nA: 1\r\n\r\n");
  expect(decoder.next(first, 0, first.length)).toBe(END);
  decoder.reset();
  expect(decoder.trailers).toBeNull();
  expect(decoder.next(first, 0, 2)).toBe(NEED_MORE);
  expect(decoder.next(first, 2, first.length)).toBe(END);
});

const last = "0\r\n\r\n";
const LIMITS: [string, string, string][] = [
  [`5;${"x".repeat(1024)}\r\nhello\r\n${last}`, "end", "extension at the limit"],
  [`5;${"x".repeat(1025)}\r\nhello\r\n${last}`, "chunk_extension_too_long", "extension above the limit"],
  [`1;${"x".repeat(1000)}\r\na\r\n`.repeat(17) + last, "chunk_extension_too_long", "extensions outweigh the data"],
  [`3e8;${"x".repeat(1000)}\r\n${"a".repeat(1000)}\r\n`.repeat(99) + last, "end", "data pays for extensions"],
  [`0\r\nA: ${"x".repeat(16377)}\r\n\r\n`, "end", "trailers at the limit"],
  [`0\r\nA: ${"x".repeat(16378)}\r\n\r\n`, "trailers_too_long", "trailers above the limit"],
  [`0\r\n${"A: 1\r\n".repeat(MAX_FIELDS)}\r\n`, "end", "fields at the limit"],
  [`0\r\n${"A: 1\r\n".repeat(MAX_FIELDS + 1)}\r\n`, "too_many_fields", "fields above the limit"],
  [`fffffffffffff\r\nabc`, "more", "the biggest size"],
];
test.each(LIMITS.map(([text, end, why]) => [why, text, end] as const))("next() holds the limit: %s", (_, text, end) => {
  expect(decode(Buffer.from(text), []).end).toBe(end);
});

/** Milliseconds to decode this many one-byte chunks, in pieces that cut chunks everywhere. */
function timeTinyChunks(n: number): number {
  const bytes = Buffer.from("1\r\na\r\n".repeat(n) + last);
  const decoder = new ChunkedDecoder();
  let data = 0;
  const before = process.cpuUsage(); // what others do on the machine does not count
  for (let from = 0; from < bytes.length; from += 4099) {
    const to = Math.min(from + 4099, bytes.length);
    let pos = from;
    while (decoder.next(bytes, pos, to) === DATA) {
      data += decoder.dataEnd - decoder.dataStart;
      pos = decoder.position;
    }
  }
  expect(data).toBe(n);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

test("next() takes a million tiny chunks in linear time", () => {
  timeTinyChunks(100_000);
  const small = timeTinyChunks(100_000);
  const big = timeTinyChunks(1_000_000);
  // Ten times the work; quadratic growth would be a hundred. The allowance is for a busy machine.
  expect(big).toBeLessThan(40 * Math.max(small, 1));
});
