import { expect, test } from "bun:test";
import fc from "fast-check";
import { isControllerId, parseSpiffeId } from "./spiffe_id.ts";

test.each([
  "",
  "spiffe://",
  "spiffe:///ns/a",
  "SPIFFE://td/a",
  "spiffe://Td/a",
  "spiffe://td:80/a",
  "spiffe://td/",
  "spiffe://td/a/",
  "spiffe://td//a",
  "spiffe://td/./a",
  "spiffe://td/a/..",
  "spiffe://td/a?x",
  "spiffe://td/a%20",
  "spiffe://td/a b",
  "https://td/a",
  `spiffe://${"a".repeat(256)}/x`,
  `spiffe://td/${"a".repeat(2048)}`,
])("parseSpiffeId() refuses %s", (text) => {
  expect(parseSpiffeId(text)).toBeNull();
});

test("parseSpiffeId() gives trust domain and path of a workload's ID", () => {
  const name = fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,20}$/);
  fc.assert(fc.property(name, name, name, (td, ns, sa) => {
    expect(parseSpiffeId(`spiffe://${td}/ns/${ns}/sa/${sa}`)).toEqual({ trustDomain: td, path: `/ns/${ns}/sa/${sa}` });
  }));
});

test("isControllerId() takes the controller of any trust domain, and nobody else", () => {
  const ids = [
    "spiffe://a.b/ns/tulle/sa/controller",
    "spiffe://a.b/ns/shop/sa/controller",
    "spiffe://a.b/x/ns/tulle/sa/controller",
  ];
  expect(ids.map(isControllerId)).toEqual([true, false, false]);
});
