import { expect, test } from "bun:test";
import fc from "fast-check";
import { hostPort, ipBytes, ipText } from "./ip.ts";

test.each([
  ["10.0.0.1", "0a000001", "10.0.0.1"],
  ["255.255.255.255", "ffffffff", "255.255.255.255"],
  ["::1", "00000000000000000000000000000001", "::1"],
  ["::", "00000000000000000000000000000000", "::"],
  ["1::", "00010000000000000000000000000000", "1::"],
  ["FD00:0:0:0:0:0:a:1", "fd0000000000000000000000000a0001", "fd00::a:1"],
  ["1:2:3:4:5:6:7:8", "00010002000300040005000600070008", "1:2:3:4:5:6:7:8"],
  ["2001:db8:0:1:1:1:1:1", "20010db8000000010001000100010001", "2001:db8:0:1:1:1:1:1"],
  ["1:0:0:2:0:0:0:3", "00010000000000020000000000000003", "1:0:0:2::3"],
  ["::ffff:10.0.0.7", "0a000007", "10.0.0.7"],
  ["::ffff:a00:7", "0a000007", "10.0.0.7"],
  ["64:ff9b::10.0.0.7", "0064ff9b0000000000000000" + "0a000007", "64:ff9b::a00:7"],
])("ipBytes(%s) is %s, which ipText() writes as %s", (text, hex, canonical) => {
  const bytes = ipBytes(text) ?? new Uint8Array(0);
  expect([Buffer.from(bytes).toString("hex"), ipText(bytes)]).toEqual([hex, canonical]);
});

test.each([
  "",
  "10.0.0",
  "10.0.0.256",
  "010.0.0.1",
  "10.0.0.1.2",
  "10.0.0.1/8",
  "1:2",
  "1::2::3",
  "12345::",
  ":1",
  "g::1",
  "1:2:3:4:5:6:7:8:9",
  "1:2:3:4:5:6:7::8",
  "10.0.0.1::",
  "fe80::1%eth0",
  "[::1]",
  "::1.2.3",
])("ipBytes(%j) is null", (text) => {
  expect(ipBytes(text)).toBeNull();
});

test("ipText() and ipBytes() are inverse (property)", () => {
  const address = fc.oneof(
    fc.uint8Array({ minLength: 4, maxLength: 4 }),
    fc.array(fc.constantFrom(0, 1, 255), { minLength: 16, maxLength: 16 }).map((bytes) => new Uint8Array(bytes)),
  );
  fc.assert(fc.property(address, (bytes) => {
    const read = ipBytes(ipText(bytes)) as Uint8Array; // what it writes is an address
    expect(read).toEqual(read.length === bytes.length ? bytes : bytes.slice(12));
  }));
});

test("ipText() of other lengths is empty", () => {
  expect(ipText(new Uint8Array(5))).toBe("");
});

test("hostPort() puts IPv6 in brackets", () => {
  expect([hostPort("10.0.0.7", 80), hostPort("fd00::7", 80)]).toEqual(["10.0.0.7:80", "[fd00::7]:80"]);
});
