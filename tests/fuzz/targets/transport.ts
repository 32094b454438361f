import {
  decodeTransportHeader,
  decodeTransportReply,
  encodeTransportHeader,
  encodeTransportReply,
  MAX_TRANSPORT_MESSAGE_BYTES,
} from "../../../src/proxy/mtls/transport.ts";
import { agree, holds, type Target } from "../target.ts";

export const target: Target = {
  about:
    "TransportHeader and TransportReply: a message, more bytes wanted, or why not; the same with one byte more at a time",
  seeds: [
    encodeTransportHeader(8080, "web.shop:80"),
    encodeTransportReply(3, "denied by policy", true),
    "\x00\x00",
    "\x00\x05\x08\x90\x3f\x10\x01",
    "\xff\xff",
  ],
  dictionary: ["\x08\x90\x3f", "\x10\x01", "\x1a\x03web", "\x00\x05", "\x04\x00"],
  maxBytes: 1200,
  run(input) {
    for (const decode of [decodeTransportHeader, decodeTransportReply]) {
      let first: ReturnType<typeof decode> = null;
      let at = 0;
      while (first === null && at <= input.length) first = decode(input, at++);
      agree("as soon as it is there, and with all that follows", first, decode(input, input.length));
      if (first === null) holds(input.length < 2 + MAX_TRANSPORT_MESSAGE_BYTES, "it waits for more than it would take");
      else if (typeof first !== "string") {
        holds(first.next >= 2 && first.next <= input.length, `the next byte is ${first.next}`);
        for (const value of Object.values(first.message)) {
          holds(typeof value !== "number" || Number.isSafeInteger(value), `number ${value}`);
        }
      }
    }
  },
};
