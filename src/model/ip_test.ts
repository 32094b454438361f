import { expect, test } from "bun:test";
import fc from "fast-check";
import { isIPv4, isIPv6 } from "node:net";
import { blockContains, formatIp, type IpBlock, ipFromBytes, parseBlock, parseIp } from "./ip.ts";

test.each([
  ["10.0.0.1", "10.0.0.1"],
  ["::ffff:10.0.0.1", "10.0.0.1"], // what a listener on :: reports for IPv4
  ["::ffff:a00:1", "10.0.0.1"],
  ["::1", "::1"],
  ["::", "::"],
  ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"], // RFC 5952 §4.2.3: the first of two equal runs
  ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"], // §4.2.2: one zero group stays
  ["FE80::A", "fe80::a"],
  ["1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"],
])("parseIp() and formatIp() turn %s into %s", (text, canonical) => {
  const ip = parseIp(text);
  expect(ip === null ? null : formatIp(ip)).toBe(canonical);
});

test.each([
  "",
  "1.2.3",
  "1.2.3.4.5",
  "256.1.1.1",
  "01.2.3.4",
  "1.2.3.4 ",
  "::1::",
  "1:2:3:4:5:6:7",
  "1:2:3:4:5:6:7:8:9",
  "1:2:3:4:5:6:7:8::",
  "12345::",
  "fe80::1%eth0",
  "1.2.3.4::",
  ":1",
  "g::",
])("parseIp() refuses %p", (text) => {
  expect(parseIp(text)).toBeNull();
});

test("parseIp() agrees with node:net on any text near an address", () => {
  const near = fc.oneof(fc.ipV4(), fc.ipV6(), fc.string({ unit: fc.constantFrom("1", "0", "f", ":", ".", "::") }));
  fc.assert(fc.property(near, (text) => (parseIp(text) !== null) === (isIPv4(text) || isIPv6(text))));
});

test("ipFromBytes() and formatIp() round-trip through parseIp()", () => {
  const bytes = fc.oneof(
    fc.uint8Array({ minLength: 4, maxLength: 4 }),
    fc.uint8Array({ minLength: 16, maxLength: 16 }),
  );
  fc.assert(fc.property(bytes, (b) => {
    const ip = ipFromBytes(b);
    if (ip === null) throw new Error("no address");
    expect(parseIp(formatIp(ip))).toEqual(ip);
  }));
  expect(ipFromBytes(new Uint8Array(5))).toBeNull();
});

function block(text: string): IpBlock {
  const result = parseBlock(text, "cidr");
  if (!result.ok) throw new Error(result.error);
  return result.value;
}

test.each([
  ["10.0.0.0/8", "10.255.0.1", true],
  ["10.0.0.0/8", "11.0.0.1", false],
  ["10.0.0.0/8", "::ffff:10.1.1.1", true],
  ["10.1.2.3", "10.1.2.3", true],
  ["10.1.2.3/32", "10.1.2.4", false],
  ["0.0.0.0/0", "200.1.1.1", true],
  ["0.0.0.0/0", "fd00::1", false],
  ["::/0", "fd00::1", true],
  ["::/0", "10.0.0.1", false], // IPv4 is not covered by an IPv6 block
  ["::ffff:10.0.0.0/104", "10.9.9.9", true],
  ["fd00:1:2::/47", "fd00:1:3::1", true],
  ["fd00:1:2::/48", "fd00:1:3::1", false],
  ["fd00::/1", "7fff::", false],
])("blockContains() of %s and %s is %p", (cidr, ip, inside) => {
  const address = parseIp(ip);
  expect(address !== null && blockContains(block(cidr), address)).toBe(inside);
});

test.each(["10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "::/129", "x/8", "10.0.0.0/8/8", ""])(
  "parseBlock() refuses %p with its path",
  (text) => {
    const result = parseBlock(text, "networks[0].cidr");
    expect(result.ok ? "" : result.error).toStartWith(`networks[0].cidr: found ${JSON.stringify(text)}, want `);
  },
);
