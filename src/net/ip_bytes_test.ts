import { expect, test } from "bun:test";
import { ipBytes } from "./ip_bytes.ts";

test.each([
  ["10.0.0.1", "0a000001"],
  ["255.255.255.255", "ffffffff"],
  ["::1", "00000000000000000000000000000001"],
  ["::", "00000000000000000000000000000000"],
  ["fd00::a:1", "fd0000000000000000000000000a0001"],
  ["1:2:3:4:5:6:7:8", "00010002000300040005000600070008"],
  ["::ffff:10.0.0.1", "00000000000000000000ffff0a000001"],
])("ipBytes(%s) is %s", (text, hex) => {
  expect(Buffer.from(ipBytes(text) ?? []).toString("hex")).toBe(hex);
});

test.each(["", "10.0.0", "10.0.0.256", "1:2", "1::2::3", "g::1", "1:2:3:4:5:6:7:8:9", "10.0.0.1/8"])(
  "ipBytes(%j) is null",
  (text) => {
    expect(ipBytes(text)).toBeNull();
  },
);
