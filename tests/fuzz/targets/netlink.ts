import { readAck, readAttributes, readMessages, readText, readU32 } from "../../../src/capture/message_reader.ts";
import { holds, type Target } from "../target.ts";

export const target: Target = {
  about: "the kernel's netlink answers: messages and attributes inside of the bytes, never an exception",
  seeds: [
    "\x14\x00\x00\x00\x02\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
    "\x24\x00\x00\x00\x02\x00\x00\x03\x01\x00\x00\x00\x00\x00\x00\x00\xfe\xff\xff\xff\x14\x00\x00\x00\x08\x00\x01\x00no\x00\x00\x00\x00\x00\x00",
    "\x10\x00\x00\x00\x03\x00\x02\x00\x01\x00\x00\x00\x00\x00\x00\x00",
    "\x10\x00\x00\x00\xff\xff\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x08\x00\x01\x00abcd",
  ],
  maxBytes: 400,
  run(input) {
    const messages = readMessages(input);
    holds(messages.length <= input.length / 16, "more messages than fit");
    for (const message of messages) {
      holds(message.start <= message.end && message.end <= input.length, "a message beyond the bytes");
      for (const [type, value] of readAttributes(input, message.start, message.end)) {
        holds(
          type >= 0 && type <= 0xffff && value.byteOffset + value.length <= input.byteOffset + message.end,
          "an attribute beyond its message",
        );
        readText(value);
        readU32(value);
      }
      const ack = readAck(input, message);
      holds(Number.isInteger(ack.errno), `errno ${ack.errno}`);
    }
  },
};
