import { expect, test } from "bun:test";
import { align4, MessageWriter } from "./message_writer.ts";

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

test("MessageWriter writes header, attributes and padding in host order when a message is ended", () => {
  const writer = new MessageWriter();
  const start = writer.beginMessage(0x0a03, 0x0405, 7);
  writer.attrText(1, "tulle").attrU32(2, 0x01020304).attrU32be(3, 0x01020304);
  writer.endMessage(start);
  expect(hex(writer.bytes())).toBe(
    "2c000000" + "030a" + "0504" + "07000000" + "00000000" +
      "0a000100" + "74756c6c6500" + "0000" +
      "08000200" + "04030201" +
      "08000300" + "01020304",
  );
});

test("MessageWriter counts nested attributes without trailing padding of the outer one", () => {
  const writer = new MessageWriter();
  const outer = writer.beginNested(4);
  writer.attrBytes(1, new Uint8Array([0xff]));
  writer.endNested(outer);
  expect(hex(writer.bytes())).toBe("0c000480" + "05000100" + "ff000000");
});

test("MessageWriter keeps what was written when the buffer grows", () => {
  const writer = new MessageWriter();
  for (let i = 0; i < 3000; i++) writer.attrU32(1, i);
  const bytes = writer.bytes();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  expect(bytes.length).toBe(24_000);
  expect(view.getUint32(2999 * 8 + 4, true)).toBe(2999);
});

test("MessageWriter refuses to grow beyond a mebibyte", () => {
  const writer = new MessageWriter();
  expect(() => writer.raw(new Uint8Array((1 << 20) + 1))).toThrow("want at most 1048576");
});

test("align4() gives the next multiple of four", () => {
  expect([0, 1, 4, 5, 7].map(align4)).toEqual([0, 4, 4, 8, 8]);
});
