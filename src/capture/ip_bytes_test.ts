import { expect, test } from "bun:test";
import { ipText } from "../base/ip.ts";
import { AF_INET, AF_INET6, blockBytes, prefixMask } from "./ip_bytes.ts";

test.each([
  ["10.77.0.1", AF_INET, 32, "10.77.0.1"],
  ["10.77.0.0/16", AF_INET, 16, "10.77.0.0"],
  ["0.0.0.0/0", AF_INET, 0, "0.0.0.0"],
  ["fd00:77::1", AF_INET6, 128, "fd00:77::1"],
  ["::/0", AF_INET6, 0, "::"],
])("blockBytes() reads %s", (text, family, prefixLength, ip) => {
  const read = blockBytes(text);
  expect([read.family, read.prefixLength, ipText(read.bytes)]).toEqual([family, prefixLength, ip]);
});

test.each(["", "10.0.0", "10.0.0.0/33", "fd00::/129", "10.0.0.0/x", "10.0.0.0/-1", "web"])(
  "blockBytes() refuses %p",
  (text) => {
    expect(() => blockBytes(text)).toThrow("bad_address");
  },
);

test("prefixMask() sets the leading bits", () => {
  expect(Array.from(prefixMask(4, 20))).toEqual([255, 255, 240, 0]);
  expect(Array.from(prefixMask(4, 0))).toEqual([0, 0, 0, 0]);
});
