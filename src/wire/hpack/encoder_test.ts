import { expect, test } from "bun:test";
import fc from "fast-check";
import { ByteSink } from "../../base/byte_sink.ts";
import { type HeaderBlock, headerBlock, NO_START, type StartLine } from "../header_block.ts";
import { HpackDecoder, REQUEST, RESPONSE, TRAILERS } from "./decoder.ts";
import { HpackEncoder } from "./encoder.ts";
import { hexOf, LIMITS, newDecoder, ok } from "./_testing.ts";
import { putInteger, putPlainString, putString } from "./primitives.ts";

const GET: StartLine = { ...NO_START, method: "GET", scheme: "http", authority: "web", path: "/" };

function encoded(encoder: HpackEncoder, block: HeaderBlock): ByteSink {
  const sink = new ByteSink(0);
  sink.put1(0xee); // blocks are appended
  encoder.encode(block, sink);
  expect(sink.buffer[0]).toBe(0xee);
  const rest = new ByteSink(0);
  rest.append(sink.buffer, 1, sink.length);
  return rest;
}

function kindOf(block: HeaderBlock): typeof REQUEST | typeof RESPONSE | typeof TRAILERS {
  return block.method !== "" ? REQUEST : block.status > 0 ? RESPONSE : TRAILERS;
}

function pass(encoder: HpackEncoder, decoder: HpackDecoder, block: HeaderBlock): HeaderBlock {
  const sink = encoded(encoder, block);
  return ok(decoder.decode(sink.buffer, 0, sink.length, kindOf(block)));
}

/** What of a block goes over the wire. */
function facts(b: HeaderBlock): unknown[] {
  const { method, scheme, authority, path, protocol, status, contentLength, flags } = b;
  return [method, scheme, authority, path, protocol, status, contentLength, flags, b.fields];
}

test.each([[10, 0x1f, "0a"], [1337, 0x1f, "1f9a0a"], [42, 0xff, "2a"], [0x7fffffff, 0x1f, "1fe0ffffff07"], [
  31,
  0x1f,
  "1f00",
]])(
  "putInteger() writes %d in RFC 7541 appendix C.1's way",
  (value, mask, hex) => {
    const sink = new ByteSink(0);
    putInteger(sink, 0, mask, value);
    expect(hexOf(sink)).toBe(hex);
  },
);

test("putString() writes what decodes to the text, and never more than the plain form", () => {
  const text = fc.oneof(
    fc.string({
      unit: fc.integer({ min: 0x20, max: 0xff }).filter((c) => c !== 0x7f).map((c) => String.fromCharCode(c)),
    }),
    fc.nat(400).map((n) => "a".repeat(n)),
    fc.nat(400).map((n) => "\xfe".repeat(n)),
  ).filter((t) => t.trim() === t);
  const decoder = newDecoder();
  fc.assert(
    fc.property(text, (value) => {
      const sink = new ByteSink(0);
      putInteger(sink, 0, 0x0f, 58);
      const before = sink.length;
      putString(sink, value);
      expect(sink.length - before).toBeLessThanOrEqual(value.length + (value.length < 127 ? 1 : 3));
      expect(ok(decoder.decode(sink.buffer, 0, sink.length, TRAILERS)).fields[1]).toBe(value);
    }),
    { numRuns: 1000 },
  );
});

test("putPlainString() writes the bytes, with a question mark for what is no Latin-1", () => {
  const sink = new ByteSink(0);
  putPlainString(sink, "a\u010d\u010a\xff");
  expect(hexOf(sink)).toBe("04613f3fff");
});

test("encode() indexes a field from its second use on, and repeats the bytes then", () => {
  const encoder = new HpackEncoder();
  const block = headerBlock({ ...GET, authority: "" }, ["accept", "x"]);
  const all = [1, 2, 3, 4, 5].map(() => hexOf(encoded(encoder, block)));
  expect(all).toEqual(["8286840f040178", "828684530178", "828684be", "828684be", "828684be"]);
});

test("encode() lets values that come once push nothing out", () => {
  const encoder = new HpackEncoder();
  const decoder = newDecoder();
  const block = (id: string) => headerBlock(GET, ["x-stable", "s".repeat(100), "x-request-id", id]);
  for (let i = 0; i < 500; i++) {
    const id = `id-${Math.imul(i, 2654435761) >>> 0}-${i}`;
    expect(pass(encoder, decoder, block(id)).get("x-request-id")).toBe(id);
  }
  const sink = encoded(encoder, block("unseen"));
  expect(sink.length).toBe(5 + 2 + 7); // five indices, an indexed name, and six characters with their length
});

test("encode() never indexes short secrets, nor what came never indexed (RFC 7541 §6.2.3, §7.1.3)", () => {
  const encoder = new HpackEncoder();
  const decoder = newDecoder();
  const block = headerBlock(GET, ["authorization", "Basic eA==", "cookie", "a=1", "x-key", "k", "x-open", "o"]);
  block.sensitive = ["x-key"];
  let last = block;
  for (let i = 0; i < 5; i++) last = pass(encoder, decoder, block);
  expect(last.sensitive).toEqual(["authorization", "cookie", "x-key"]);
  expect(facts(last)).toEqual(facts(block));
  const long = headerBlock(GET, ["authorization", "Bearer " + "t".repeat(100)]);
  for (let i = 0; i < 3; i++) last = pass(encoder, decoder, long);
  expect(last.sensitive).toBeNull();
});

test("encode() announces table sizes: the smallest since the last block, then the wanted one (RFC 7541 §4.2)", () => {
  const encoder = new HpackEncoder();
  const block = headerBlock({ ...GET, authority: "" }, []);
  encoder.setMaxTableSize(65_536);
  expect(hexOf(encoded(encoder, block))).toBe("828684"); // 4096 is in force already
  encoder.setMaxTableSize(100);
  expect(hexOf(encoded(encoder, block))).toBe("3f45828684");
  encoder.setMaxTableSize(0);
  encoder.setMaxTableSize(200);
  expect(hexOf(encoded(encoder, block))).toBe("203fa901828684");
  expect(hexOf(encoded(encoder, block))).toBe("828684");
});

test("encode() forgets cached bytes when the table changes", () => {
  const encoder = new HpackEncoder();
  const decoder = newDecoder();
  const block = headerBlock(GET, ["x-a", "1"]);
  for (let i = 0; i < 5; i++) pass(encoder, decoder, block);
  const other = headerBlock(GET, ["x-b", "2"]);
  for (let i = 0; i < 5; i++) pass(encoder, decoder, other);
  expect(facts(pass(encoder, decoder, block))).toEqual(facts(block));
  encoder.setMaxTableSize(0);
  expect(facts(pass(encoder, decoder, block))).toEqual(facts(block));
});

test("encode() forgets cached bytes that refer to a name only", () => {
  const encoder = new HpackEncoder();
  const decoder = newDecoder();
  encoder.setMaxTableSize(200); // of which a value of 150 characters may take no half
  const small = headerBlock({ ...GET, authority: "" }, ["x-a", "1"]);
  const large = headerBlock({ ...GET, authority: "" }, ["x-a", "l".repeat(150)]);
  for (let i = 0; i < 3; i++) pass(encoder, decoder, small);
  for (let i = 0; i < 3; i++) expect(facts(pass(encoder, decoder, large))).toEqual(facts(large));
  for (let i = 0; i < 3; i++) pass(encoder, decoder, headerBlock({ ...GET, authority: "" }, ["x-b", "2"]));
  expect(facts(pass(encoder, decoder, large))).toEqual(facts(large));
});

test("encode() gives a request without a scheme http, and CONNECT none", () => {
  const origin = pass(new HpackEncoder(), newDecoder(), headerBlock({ ...GET, scheme: "" }, []));
  expect(origin.scheme).toBe("http");
  const connect = pass(
    new HpackEncoder(),
    newDecoder(),
    headerBlock({ ...NO_START, method: "CONNECT", authority: "a:1" }, []),
  );
  expect([connect.scheme, connect.path]).toEqual(["", ""]);
});

test("encode() and decode() are inverse over a long-lived pair, while table sizes change", () => {
  const word = fc.constantFrom(
    "a",
    "b",
    "abc",
    "gzip, deflate",
    "",
    "v".repeat(90),
    "w".repeat(1500),
    "\xe4",
    "00-7f-01",
  );
  const value = fc.oneof({ weight: 4, arbitrary: word }, fc.string({ maxLength: 12 }).filter((t) => t.trim() === t));
  const name = fc.constantFrom(
    "accept-encoding",
    "x-a",
    "x-b",
    "traceparent",
    "set-cookie",
    "user-agent",
    "date",
    "vary",
  );
  const fields = fc.array(fc.tuple(name, value), { maxLength: 6 }).map((pairs) => pairs.flat());
  const start: fc.Arbitrary<StartLine> = fc.oneof(
    fc.record({
      method: fc.constantFrom("GET", "POST", "PUT"),
      scheme: fc.constantFrom("http", "https"),
      authority: fc.constantFrom("", "web", "catalogue.shop:8080"),
      path: fc.constantFrom("/", "/index.html", "/a?b=c", "/" + "p".repeat(300)),
      protocol: fc.constant(""),
      status: fc.constant(0),
    }),
    fc.constantFrom(200, 404, 302, 503).map((status) => ({ ...NO_START, status })),
    fc.constant(NO_START),
  );
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.tuple(fc.nat(9), fc.boolean()) },
    fc.constantFrom(0, 40, 150, 1000, 4096, 65_536),
  );
  fc.assert(
    fc.property(
      fc.array(fc.tuple(start, fields), { minLength: 1, maxLength: 10 }),
      fc.array(step, { maxLength: 60 }),
      (parts, steps) => {
        const blocks = parts.map(([s, f]) => headerBlock(s, f));
        const encoder = new HpackEncoder();
        const decoder = new HpackDecoder(LIMITS);
        for (const next of steps) {
          if (typeof next === "number") {
            encoder.setMaxTableSize(next);
            continue;
          }
          const [i, copy] = next;
          const chosen = blocks[i % blocks.length] as HeaderBlock; // not empty
          const block = copy ? headerBlock(chosen, [...chosen.fields]) : chosen;
          expect(facts(pass(encoder, decoder, block))).toEqual(facts(block));
        }
      },
    ),
    { numRuns: 250 },
  );
});

test("encode() stays right when names and values flood it", () => {
  const encoder = new HpackEncoder();
  const decoder = newDecoder();
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 700; i++) {
      const block = headerBlock(GET, [`x-name-${i}`, `v${i % 7}`, "x-fixed", `w${i % 40}`]);
      expect(pass(encoder, decoder, block).fields).toEqual(block.fields);
    }
  }
});
