import { expect, test } from "bun:test";
import fc from "fast-check";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  Code,
  Protocol,
  TransportHeaderSchema,
  TransportReplySchema,
} from "../../../proto/gen/tulle/transport/v1/transport_pb.ts";
import {
  CODE_DENIED,
  CODE_NAMES,
  decodeTransportHeader,
  decodeTransportReply,
  encodeTransportHeader,
  encodeTransportReply,
} from "./transport.ts";

test("decodeTransportHeader() reads what encodeTransportHeader() wrote, at any chop", () => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 65535 }), fc.string({ maxLength: 50 }), (port, target) => {
    const bytes = encodeTransportHeader(port, target);
    for (let n = 0; n < bytes.length; n++) expect(decodeTransportHeader(bytes, n)).toBeNull();
    const whole = decodeTransportHeader(bytes, bytes.length);
    if (whole === null || typeof whole === "string") throw new Error("not decoded");
    expect(whole.next).toBe(bytes.length);
    expect(whole.message.port).toBe(port);
    expect(whole.message.target).toBe(target);
  }));
});

test("decodeTransportReply() reads code, reason and advice", () => {
  const bytes = encodeTransportReply(CODE_DENIED, "no policy admits it", false);
  const whole = decodeTransportReply(bytes, bytes.length);
  if (whole === null || typeof whole === "string") throw new Error("not decoded");
  expect(whole.message.code).toBe(CODE_DENIED);
  expect(whole.message.reason).toBe("no policy admits it");
});

test("decodeTransportHeader() gives a value, null or a text for any bytes", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
    const got = decodeTransportHeader(bytes, bytes.length);
    expect(got === null || typeof got === "string" || got.next <= bytes.length).toBe(true);
  }));
});

test("encodeTransportHeader() and encodeTransportReply() write what the generated code reads, and the other way round", () => {
  const header = create(TransportHeaderSchema, { port: 8080, protocol: Protocol.HTTP2, target: "web.shop:80" });
  expect(fromBinary(TransportHeaderSchema, encodeTransportHeader(8080, "web.shop:80").subarray(2))).toEqual(header);
  const reply = create(TransportReplySchema, { code: Code.OVERLOADED, reason: "full", retryable: true });
  const bytes = toBinary(TransportReplySchema, reply);
  const framed = new Uint8Array([0, bytes.length, ...bytes]);
  expect(decodeTransportReply(framed, framed.length)).toEqual({
    message: { code: Code.OVERLOADED, reason: "full", retryable: true },
    next: framed.length,
  });
  for (const [code, name] of Object.entries(CODE_NAMES)) expect(Code[Number(code)]?.toLowerCase()).toBe(name);
});
