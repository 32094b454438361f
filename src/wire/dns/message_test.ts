import { expect, test } from "bun:test";
import fc from "fast-check";
import { nameBytes, query, response, u16 } from "../../../tests/support/dns.ts";
import { A, AAAA, CNAME, HTTPS, isSameQuestion, MAX_ANSWERS, readAnswers, readHead } from "./message.ts";
import { readName } from "./name.ts";

const NAME = "api.example.org";

function answersOf(bytes: Uint8Array) {
  const head = readHead(bytes);
  return head === null ? null : readAnswers(bytes, head);
}

test("readHead() reads a question as it is asked, in lower case", () => {
  expect(readHead(query("API.Example.org", A, 7))).toEqual({
    id: 7,
    isResponse: false,
    opcode: 0,
    isTruncated: false,
    rcode: 0,
    answers: 0,
    question: { name: NAME, type: A, class: 1 },
    end: 33,
  });
});

test("readAnswers() follows what a resolver writes: a chain, addresses of both families, others left out", () => {
  const bytes = response(NAME, A, [
    { name: NAME, type: CNAME, ttlS: 30, data: nameBytes("cdn.example.net") },
    { name: "cdn.example.net", type: A, ttlS: 5, data: [192, 0, 2, 1] },
    { name: "cdn.example.net", type: AAAA, ttlS: 0x80000000, data: [0x20, 1, 0xd, 0xb8, ...new Array(11).fill(0), 1] },
    { name: NAME, type: 46, data: [1, 2, 3] },
    { name: NAME, type: A, class: 3, data: [1, 2, 3] },
  ]);
  expect(answersOf(bytes)).toEqual([
    { kind: "alias", name: NAME, ttlS: 30, target: "cdn.example.net" },
    { kind: "address", name: "cdn.example.net", ttlS: 5, address: Uint8Array.of(192, 0, 2, 1) },
    {
      kind: "address",
      name: "cdn.example.net",
      ttlS: 0,
      address: Uint8Array.from([0x20, 1, 0xd, 0xb8, ...new Array(11).fill(0), 1]),
    },
  ]);
});

test("readAnswers() takes the hints of a service, and the target of its alias", () => {
  const hints = [...u16(1), 0, ...u16(1), ...u16(3), 2, 0x68, 0x32, ...u16(4), ...u16(8), 192, 0, 2, 1, 192, 0, 2, 2];
  const alias = [...u16(0), ...nameBytes("svc.example.net")];
  expect(answersOf(response(NAME, HTTPS, [{ name: NAME, type: HTTPS, data: hints }]))).toEqual([
    { kind: "hints", name: NAME, ttlS: 60, addresses: [Uint8Array.of(192, 0, 2, 1), Uint8Array.of(192, 0, 2, 2)] },
  ]);
  expect(answersOf(response(NAME, HTTPS, [{ name: NAME, type: HTTPS, data: alias }]))).toEqual([
    { kind: "alias", name: NAME, ttlS: 60, target: "svc.example.net" },
  ]);
});

const MALFORMED: readonly (readonly [string, Uint8Array])[] = [
  ["an address of five bytes", response(NAME, A, [{ name: NAME, type: A, data: [1, 2, 3, 4, 5] }])],
  ["an alias with bytes behind it", response(NAME, A, [{ name: NAME, type: CNAME, data: [...nameBytes("b"), 0] }])],
  [
    "hints that are cut off",
    response(NAME, HTTPS, [{ name: NAME, type: HTTPS, data: [0, 1, 0, 0, 4, 0, 4, 1, 2, 3] }]),
  ],
  [
    "hints that are not in order",
    response(NAME, HTTPS, [{ name: NAME, type: HTTPS, data: [0, 1, 0, 0, 3, 0, 0, 0, 1, 0, 0] }]),
  ],
  ["a record that is cut off", response(NAME, A, [{ name: NAME, type: A, data: [1, 2, 3, 4] }]).subarray(0, -1)],
  ["more records than are there", Uint8Array.from(response(NAME, A, []), (byte, i) => i === 7 ? 1 : byte)],
  [
    "more records than are read",
    Uint8Array.from(response(NAME, A, []), (byte, i) => i === 6 ? MAX_ANSWERS >>> 8 : i === 7 ? 1 : byte),
  ],
];

test.each([...MALFORMED])("readAnswers() refuses %s", (_what, bytes) => {
  expect(answersOf(bytes)).toBeNull();
});

test("readHead() refuses two questions, a question cut off, and a pointer in a question", () => {
  const bytes = query(NAME, A);
  expect(readHead(Uint8Array.from(bytes, (byte, i) => i === 5 ? 2 : byte))).toBeNull();
  for (let length = 0; length < bytes.length; length++) expect(readHead(bytes.subarray(0, length))).toBeNull();
  expect(readHead(Uint8Array.from([...bytes.subarray(0, 12), 0xc0, 12, 0, 1, 0, 1]))).toBeNull();
});

test("readName() ends for pointers to themselves, forwards, in circles, and for names that are too long", () => {
  const at = (bytes: readonly number[], from = 12) =>
    readName(Uint8Array.from([...new Array(12).fill(0), ...bytes]), from);
  expect(at([0xc0, 12])).toBeNull();
  expect(at([0xc0, 14, 0])).toBeNull();
  expect(at([1, 97, 0xc0, 12])).toBeNull();
  expect(at([1, 97, 0xc0, 16, 0xc0, 12], 16)).toBeNull();
  expect(at([0xc0, 0])).toBeNull(); // the header
  expect(at([0x40, ...new Array(64).fill(97), 0])).toBeNull();
  const long = Array.from({ length: 4 }, () => [63, ...new Array(63).fill(97)]).flat();
  expect(at([...long, 0])).toBeNull();
  expect(at([...long.slice(0, 192), 61, ...new Array(61).fill(97), 0])?.name.length).toBe(253);
  expect(at([3, 97, 46, 98, 0])?.name).toBe("a\\046b"); // a dot in a label is no border
});

test("isSameQuestion() is about name, type and class, and about both having none", () => {
  const one = { name: NAME, type: A, class: 1 };
  expect(isSameQuestion(one, { ...one })).toBe(true);
  expect(isSameQuestion(one, { ...one, type: AAAA })).toBe(false);
  expect(isSameQuestion(one, { ...one, name: "b" })).toBe(false);
  expect(isSameQuestion(one, null)).toBe(false);
});

test("property: any bytes, and any change of a good answer, give a value or null", () => {
  const good = response(NAME, A, [
    { name: NAME, type: CNAME, data: nameBytes("cdn.example.net") },
    { name: "cdn.example.net", type: A, data: [192, 0, 2, 1] },
  ]);
  const changed = fc.tuple(fc.nat(good.length - 1), fc.nat(255)).map(([i, byte]) =>
    Uint8Array.from(good, (old, j) => i === j ? byte : old)
  );
  fc.assert(fc.property(fc.oneof(fc.uint8Array({ maxLength: 600 }), changed), (bytes) => {
    for (const answer of answersOf(bytes) ?? []) expect(answer.name.length).toBeLessThanOrEqual(4 * 255);
  }));
});
