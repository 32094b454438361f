import { expect, test } from "bun:test";
import { canonicalCidr, canonicalIp, isProperSubnet } from "./ip.ts";

test.each([
  ["10.0.0.7", "10.0.0.7"],
  ["fd00:0:0:0:0:0:0:7", "fd00::7"],
  ["FD00::7", "fd00::7"],
  ["::", "::"],
  ["::1", "::1"],
  ["1::", "1::"],
  ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
  ["1:0:0:2:0:0:0:3", "1:0:0:2::3"],
  ["::ffff:10.0.0.7", "10.0.0.7"],
  ["64:ff9b::10.0.0.7", "64:ff9b::a00:7"],
])("canonicalIp() writes %s as %s", (text, want) => {
  expect(canonicalIp(text)).toBe(want);
});

test.each([
  "",
  "10.0.0",
  "10.0.0.256",
  "010.0.0.1",
  "10.0.0.1.2",
  "1::2::3",
  "12345::",
  ":1",
  "1:2:3:4:5:6:7:8:9",
  "fe80::1%eth0",
  "[::1]",
  "::1.2.3",
])(
  "canonicalIp() refuses %p",
  (text) => {
    expect(canonicalIp(text)).toBe(null);
  },
);

test.each([
  ["10.1.2.3/8", "10.0.0.0/8"],
  ["10.1.2.3", "10.1.2.3/32"],
  ["0.0.0.0/0", "0.0.0.0/0"],
  ["10.1.2.255/25", "10.1.2.128/25"],
  ["fd00::1/8", "fd00::/8"],
  ["::ffff:10.1.2.3/104", "10.0.0.0/8"],
])("canonicalCidr() writes %s as %s", (text, want) => {
  expect(canonicalCidr(text)).toBe(want);
});

test.each(["10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/08", "/8", "fd00::/129", "::ffff:10.0.0.0/8"])(
  "canonicalCidr() refuses %p",
  (text) => {
    expect(canonicalCidr(text)).toBe(null);
  },
);

test.each([
  ["10.9.0.0/16", "10.0.0.0/8", true],
  ["10.0.0.0/9", "10.0.0.0/8", true],
  ["10.0.0.0/8", "10.0.0.0/8", false],
  ["10.0.0.0/7", "10.0.0.0/8", false],
  ["11.0.0.0/16", "10.0.0.0/8", false],
  ["fd00::/16", "fd00::/8", true],
  ["fd00::/16", "0.0.0.0/0", false],
  ["10.0.0.0/8", "::/0", false],
])("isProperSubnet() knows whether %s is a part of %s: %p", (inner, outer, want) => {
  expect(isProperSubnet(inner, outer)).toBe(want);
});
