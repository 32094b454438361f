import { expect, test } from "bun:test";
import fc from "fast-check";
import type { HeaderBlock } from "../header_block.ts";
import { COMPRESSION_ERROR, HpackDecoder, MALFORMED, REQUEST, RESPONSE, TOO_LARGE, TRAILERS } from "./decoder.ts";
import { bytes, concat, decode, GET, LIMITS, literals, newDecoder, ok } from "./_testing.ts";

function seen(result: HeaderBlock | number): unknown[] {
  const b = ok(result);
  return [b.method, b.scheme, b.authority, b.path, b.status, ...b.fields];
}

test.each([
  ["C.3, without Huffman", [
    "828684410f7777772e6578616d706c652e636f6d",
    "828684be58086e6f2d6361636865",
    "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
  ]],
  ["C.4, with Huffman", [
    "828684418cf1e3c2e5f23a6ba0ab90f4ff",
    "828684be5886a8eb10649cbf",
    "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
  ]],
])("decode() reads the requests of RFC 7541 %s", (_name, blocks) => {
  const decoder = newDecoder();
  expect(blocks.map((hex) => seen(decode(bytes(hex), REQUEST, decoder)))).toEqual([
    ["GET", "http", "www.example.com", "/", 0],
    ["GET", "http", "www.example.com", "/", 0, "cache-control", "no-cache"],
    ["GET", "https", "www.example.com", "/index.html", 0, "custom-key", "custom-value"],
  ]);
});

test.each([
  ["C.5, without Huffman", [
    "4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d546e1768747470733a2f2f7777772e6578616d706c652e636f6d",
    "4803333037c1c0bf",
    "88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f3d4153444a4b48514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b2076657273696f6e3d31",
  ]],
  ["C.6, with Huffman", [
    "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3",
    "4883640effc1c0bf",
    "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
  ]],
])("decode() reads the responses of RFC 7541 %s, evicting from 256 bytes", (_name, blocks) => {
  const decoder = newDecoder();
  const size = bytes("3fe101"); // table size update to 256
  const first = concat(size, bytes(blocks[0]!)); // rows of three
  const date = "Mon, 21 Oct 2013 20:13:21 GMT";
  const common = ["cache-control", "private", "date", date, "location", "https://www.example.com"];
  expect(seen(decode(first, RESPONSE, decoder))).toEqual(["", "", "", "", 302, ...common]);
  expect(seen(decode(bytes(blocks[1]!), RESPONSE, decoder))).toEqual(["", "", "", "", 307, ...common]);
  const last = ok(decode(bytes(blocks[2]!), RESPONSE, decoder));
  expect([last.status, last.get("date"), last.get("content-encoding")]).toEqual([
    200,
    date.replace("21 G", "22 G"),
    "gzip",
  ]);
  expect(last.get("set-cookie")).toBe("foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1");
  expect(decode(bytes("88c0"), RESPONSE, decoder)).not.toBe(COMPRESSION_ERROR); // 64 is the last of three entries
  expect(decode(bytes("88c1"), RESPONSE, decoder)).toBe(COMPRESSION_ERROR);
});

test.each([
  ["index 0", "80"],
  ["index beyond an empty table", "be"],
  ["literal's name index beyond the table", "7f0001 61"],
  ["integer cut off", "ff"],
  ["integer of six continuation bytes", "ff808080808000"],
  ["integer above 2^31-1", "ffffffffff7f"],
  ["string longer than the block", "400161027a"],
  ["string without a length", "4001 61"],
  ["size update above what was advertised", "3fe21f"],
  ["size update after a field", "8220"],
  ["Huffman padding of zeros", "4001 61 8118"],
])("decode() gives COMPRESSION_ERROR for %s", (_what, hex) => {
  expect(decode(bytes(hex))).toBe(COMPRESSION_ERROR);
});

test("decode() takes a size update only up to the advertised size, in bytes", () => {
  expect(decode(concat(bytes("3fe11f"), literals(GET)))).not.toBe(COMPRESSION_ERROR); // 4096
  const decoder = new HpackDecoder({ ...LIMITS, maxTableSize: 100 });
  expect(decode(concat(bytes("3f46"), literals(GET)), REQUEST, decoder)).toBe(COMPRESSION_ERROR); // 101
});

test("decode() gives the same object for the same bytes, from the second time on", () => {
  const decoder = newDecoder();
  const block = literals([...GET, "x-a", "1"]);
  decode(block, REQUEST, decoder);
  const second = ok(decode(block, REQUEST, decoder));
  expect(decode(block, REQUEST, decoder)).toBe(second);
  expect(decode(concat(bytes("00"), block).subarray(1), REQUEST, decoder)).toBe(second);
});

test("decode() keeps a few blocks side by side that differ in one byte anywhere", () => {
  for (const length of [10, 200, 900]) {
    for (let at = 0; at < length; at += 13) {
      const decoder = newDecoder();
      const variants = ["a", "b", "c"].map((c) =>
        literals([...GET, "x-a", "-".repeat(at) + c + "-".repeat(length - at)])
      );
      for (const block of [...variants, ...variants]) decode(block, REQUEST, decoder);
      const kept = variants.map((block) => ok(decode(block, REQUEST, decoder)));
      variants.forEach((block, i) => expect(decode(block, REQUEST, decoder)).toBe(kept[i] as HeaderBlock)); // same length
      expect(new Set(kept.map((block) => block.get("x-a"))).size).toBe(3);
    }
  }
});

test("decode() gives no stale block when the same bytes mean something else after the table changed", () => {
  const decoder = newDecoder();
  const start = literals(GET);
  decode(concat(start, literals(["x-a", "old"], 0x40)), REQUEST, decoder);
  const indexed = concat(start, bytes("be"));
  for (let i = 0; i < 3; i++) expect(ok(decode(indexed, REQUEST, decoder)).get("x-a")).toBe("old");
  decode(concat(start, literals(["x-a", "new"], 0x40)), REQUEST, decoder);
  for (let i = 0; i < 3; i++) expect(ok(decode(indexed, REQUEST, decoder)).get("x-a")).toBe("new");
  decode(concat(bytes("20"), start), REQUEST, decoder); // size 0 empties the table
  expect(decode(indexed, REQUEST, decoder)).toBe(COMPRESSION_ERROR);
});

test("decode() applies the insertions of a repeated block each time", () => {
  const decoder = newDecoder();
  const block = concat(literals(GET), literals(["x-a", "1"], 0x40));
  const results = [0, 1, 2, 3].map(() => decode(block, REQUEST, decoder));
  expect(results[3]).toBe(results[2] as HeaderBlock); // kept although it adds to the table; in range
  expect(decode(concat(literals(GET), bytes("c1")), REQUEST, decoder)).not.toBe(COMPRESSION_ERROR); // index 65: the fourth
  expect(decode(concat(literals(GET), bytes("c2")), REQUEST, decoder)).toBe(COMPRESSION_ERROR);
});

test("decode() applies the size updates of a repeated block each time", () => {
  const decoder = newDecoder();
  const emptying = concat(bytes("203fe11f"), literals(GET));
  for (let i = 0; i < 3; i++) {
    expect(typeof decode(concat(literals(GET), literals(["x-a", "1"], 0x40)), REQUEST, decoder)).toBe("object");
    expect(typeof decode(emptying, REQUEST, decoder)).toBe("object");
    expect(decode(concat(literals(GET), bytes("be")), REQUEST, decoder)).toBe(COMPRESSION_ERROR);
  }
});

test("decode() tells a coded name from a plain one of the same bytes", () => {
  const plain = concat(literals(GET), bytes("00 02 6461 01 31"));
  const coded = concat(literals(GET), bytes("00 82 6461 01 31"));
  for (let i = 0; i < 2; i++) {
    expect(ok(decode(plain)).fields).toEqual(["da", "1"]);
    expect(ok(decode(coded)).fields).toEqual(["3a1", "1"]);
  }
});

test("decode() does not mix kinds in its cache", () => {
  const decoder = newDecoder();
  const block = literals(["x-a", "1"]);
  for (let i = 0; i < 3; i++) expect(ok(decode(block, TRAILERS, decoder)).get("x-a")).toBe("1");
  expect(decode(block, REQUEST, decoder)).toBe(MALFORMED);
  expect(decode(block, RESPONSE, decoder)).toBe(MALFORMED);
});

test.each([
  ["many bytes by indexed fields", new Array(40).fill(0xbe), 0],
  ["many fields", new Array(250).fill(0x90), 0],
])("decode() gives TOO_LARGE for %s and keeps the table in step", (_what, fields) => {
  const decoder = new HpackDecoder({ maxTableSize: 4096, maxListBytes: 40_000, maxFields: 200 });
  const big = literals([...GET, "x-big", "v".repeat(3000)]);
  const insert = concat(literals(GET), literals(["x-big", "v".repeat(3000)], 0x40));
  expect(typeof decode(insert, REQUEST, decoder)).toBe("object");
  const bomb = concat(literals(GET), Uint8Array.from(fields), literals(["x-after", "1"], 0x40));
  expect(decode(bomb, REQUEST, decoder)).toBe(TOO_LARGE);
  expect(ok(decode(concat(literals(GET), bytes("be")), REQUEST, decoder)).get("x-after")).toBe("1");
  expect(typeof decode(big, REQUEST, decoder)).toBe("object");
});

test("decode() keeps the table in step after MALFORMED", () => {
  const decoder = newDecoder();
  expect(decode(literals(["X-Upper", "1"], 0x40), REQUEST, decoder)).toBe(MALFORMED);
  expect(decode(literals(["x-lower", "1"], 0x40), REQUEST, decoder)).toBe(MALFORMED); // no pseudo-header fields
  expect(ok(decode(concat(literals(GET), bytes("be")), REQUEST, decoder)).get("x-lower")).toBe("1");
  expect(decode(concat(literals(GET), bytes("bf")), REQUEST, decoder)).toBe(MALFORMED); // the upper-case name again
});

test("decode() names the fields that came never indexed", () => {
  const block = concat(literals(GET), literals(["x-key", "1"], 0x10), literals(["x-open", "1"]));
  expect(ok(decode(block)).sensitive).toEqual(["x-key"]);
  expect(ok(decode(literals(GET))).sensitive).toBeNull();
});

test("decode() gives a block or a code for any bytes", () => {
  const tail = fc.uint8Array({ maxLength: 200 });
  const mixed = fc.array(
    fc.oneof(
      fc.uint8Array({ maxLength: 6 }),
      fc.constantFrom(
        literals(GET),
        bytes("828684"),
        bytes("88"),
        bytes("be"),
        literals(["x-a", "b"], 0x40),
        bytes("20"),
      ),
    ),
    { maxLength: 12 },
  ).map((parts) => concat(...parts));
  const decoder = newDecoder();
  fc.assert(
    fc.property(fc.oneof(tail, mixed), fc.constantFrom(REQUEST, RESPONSE, TRAILERS), (block, kind) => {
      const result = decode(block, kind, decoder);
      if (typeof result === "number") expect([COMPRESSION_ERROR, MALFORMED, TOO_LARGE]).toContain(result);
      else expect(result.fields.length % 2).toBe(0);
    }),
    { numRuns: 4000 },
  );
});

test("decode() takes no notice of whether its caches know the bytes", () => {
  const piece = fc.constantFrom(
    bytes("828684"),
    bytes("838785410161"),
    bytes("be"),
    bytes("bf"),
    bytes("c0"),
    literals(["x-a", "1"]),
    literals(["x-b", "2"], 0x40),
    literals(["x-c", "3"], 0x40),
    concat(bytes("828684"), literals(["x-d", "4", "x-e", "5"], 0x40)),
    bytes("3f01"),
    bytes("3fe11f"),
  );
  const block = fc.array(piece, { minLength: 1, maxLength: 4 }).map((parts) => concat(...parts));
  fc.assert(
    fc.property(fc.array(block, { maxLength: 8 }), fc.array(fc.nat(7), { maxLength: 40 }), (blocks, order) => {
      const warm = newDecoder();
      const cold = newDecoder();
      for (const i of order) {
        const chosen = blocks[i];
        if (chosen === undefined) continue;
        const plain = concat(new Uint8Array(0), chosen);
        const a = decode(chosen, REQUEST, warm);
        // Padding the block over the cache's limit with static fields keeps the cold decoder from caching.
        const b = decode(concat(plain, new Uint8Array(1100).fill(0x90)), REQUEST, cold);
        if (typeof a !== "number" || a === COMPRESSION_ERROR) {
          expect(a === COMPRESSION_ERROR).toBe(b === COMPRESSION_ERROR);
        }
        if (a === COMPRESSION_ERROR) return;
      }
      const probe = concat(literals(GET), bytes("bebf"));
      const a = decode(probe, REQUEST, warm);
      const b = decode(probe, REQUEST, cold);
      expect(typeof a === "number" ? a : a.fields).toEqual(typeof b === "number" ? b : b.fields);
    }),
    { numRuns: 500 },
  );
});
