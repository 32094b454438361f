import { expect, test } from "bun:test";
import fc from "fast-check";
import { parseTarget } from "./target.ts";

test.each([
  ["10.0.0.7:80", { kind: "address", ip: "10.0.0.7", port: 80 }],
  ["[FD00::7]:443", { kind: "address", ip: "fd00::7", port: 443 }],
  ["[::ffff:10.0.0.7]:80", { kind: "address", ip: "10.0.0.7", port: 80 }],
  ["Web.Shop.:80", { kind: "name", host: "web.shop", port: 80 }],
  ["web:65535", { kind: "name", host: "web", port: 65535 }],
])("parseTarget() reads %s", (text, want) => {
  expect(parseTarget(text)).toMatchObject({ ...want, text } as object);
});

test.each([
  "",
  "web",
  "web:0",
  "web:65536",
  "web:080",
  "fd00::7:80",
  "[10.0.0.7]:80",
  "[fd00::7:80",
  "we b:80",
  ":80",
  "-a:80",
  "a..b:80",
])(
  "parseTarget() refuses %p",
  (text) => {
    expect(parseTarget(text)).toBe(null);
  },
);

test("parseTarget() gives a target or null for any text, and keeps the text", () => {
  fc.assert(fc.property(fc.oneof(fc.string(), fc.string().map((text) => `${text}:80`)), (text) => {
    expect(parseTarget(text)?.text ?? text).toBe(text);
  }));
});
