import { expect, test } from "bun:test";
import fc from "fast-check";
import { envelope, EnvelopeReader, MAX_MESSAGE_BYTES } from "./envelope.ts";
import { errorOfEndStream, errorOfResponse } from "./error.ts";

/** What a reader finds in pieces. */
function read(pieces: readonly Uint8Array[]) {
  const found: { messages: number[][]; end: number[] | null; problem: string } = {
    messages: [],
    end: null,
    problem: "",
  };
  const reader = new EnvelopeReader();
  for (const piece of pieces) {
    found.problem ||= reader.push(piece, {
      onMessage: (message) => void found.messages.push([...message]),
      onEndStream: (json) => void (found.end = [...json]),
    });
  }
  return found;
}

test("EnvelopeReader finds the same messages however the bytes are cut", () => {
  const messages = fc.array(fc.uint8Array({ maxLength: 30 }), { maxLength: 6 });
  fc.assert(fc.property(messages, fc.array(fc.nat(200), { maxLength: 20 }), (list, cuts) => {
    const end = envelope(Uint8Array.of(123, 125));
    end[0] = 2;
    const whole = Uint8Array.from([...list.flatMap((m) => [...envelope(m)]), ...end]);
    const at = [...cuts.filter((c) => c < whole.length).sort((a, b) => a - b), whole.length];
    const pieces = at.map((cut, i) => whole.subarray(at[i - 1] ?? 0, cut));
    expect(read(pieces)).toEqual({ messages: list.map((m) => [...m]), end: [123, 125], problem: "" });
  }));
});

test("EnvelopeReader stops at compressed and oversized messages without holding them", () => {
  const large = new Uint8Array(5);
  new DataView(large.buffer).setUint32(1, MAX_MESSAGE_BYTES + 1);
  expect(read([large]).problem).toStartWith("a message of 4194305 bytes");
  expect(read([Uint8Array.of(1, 0, 0, 0, 0)]).problem).toStartWith("a compressed message");
});

const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

test.each([
  ["an orderly end", json({}), null],
  ["an error", json({ error: { code: "not_found", message: "m" } }), { code: "not_found", message: "m" }],
  ["an error without a code", json({ error: {} }), { code: "unknown", message: "" }],
  ["no JSON", Uint8Array.of(1), { code: "internal", message: "the end of the stream is not JSON" }],
])("errorOfEndStream() reads %s", (_what, body, error) => {
  expect(errorOfEndStream(body)).toEqual(error);
});

test.each([
  [401, json({ code: "unauthenticated", message: "m" }), { code: "unauthenticated", message: "m" }],
  [503, new Uint8Array(0), { code: "unavailable", message: "HTTP status 503" }],
  [418, json([]), { code: "unknown", message: "HTTP status 418" }],
])("errorOfResponse() reads status %p", (status, body, error) => {
  expect(errorOfResponse(status, body)).toEqual(error);
});
