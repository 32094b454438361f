import { expect, test } from "bun:test";
import { networkOf, networksOf } from "./networks.ts";

test.each([
  ["10.1.2.3/8", ["10.9.1.0/16", "192.168.0.0/16", "::/0"], { cidr: "10.0.0.0/8", except: ["10.9.0.0/16"] }],
  ["10.0.0.7", [], { cidr: "10.0.0.7/32", except: [] }],
  ["10.9.0.0/16", ["10.0.0.0/8"], null],
  ["10.9.0.0/16", ["10.9.0.0/16"], null],
  ["nonsense", ["10.0.0.0/8"], { cidr: "nonsense", except: ["10.0.0.0/8"] }],
])("networkOf() writes %s without %p as %p", (cidr, except, want) => {
  expect(networkOf(cidr, except)).toEqual(want);
});

test("networksOf() keeps an object valid when nothing is left", () => {
  expect(networksOf(["10.9.0.0/16", "11.0.0.0/8"], ["10.0.0.0/8"])).toEqual([{ cidr: "11.0.0.0/8", except: [] }]);
  expect(networksOf(["10.9.0.0/16"], ["0.0.0.0/0"])).toMatchObject([{ cidr: "255.255.255.254/31" }]);
});
