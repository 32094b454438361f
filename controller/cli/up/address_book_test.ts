import { expect, test } from "bun:test";
import { AddressBook } from "./address_book.ts";
import { folderOf, instance, service } from "./_builders.ts";

test("assign() gives free addresses in the order of the folder, and Services virtual ones", () => {
  const book = new AddressBook("10.77.0");
  const web = service("web");
  book.assign(folderOf([instance("web-0"), instance("web-1")], [web]));
  expect([book.instance("shop/web-0"), book.instance("shop/web-1"), book.service(web)]).toEqual([
    "10.77.0.10",
    "10.77.0.11",
    "10.96.0.1",
  ]);
});

test("assign() keeps addresses when others come and go, and gives those of the gone away again", () => {
  const book = new AddressBook("10.77.0");
  book.assign(folderOf([instance("a-0"), instance("b-0")], []));
  book.assign(folderOf([instance("b-0"), instance("c-0")], []));
  expect([book.instance("shop/b-0"), book.instance("shop/c-0"), book.instance("shop/a-0")]).toEqual([
    "10.77.0.11",
    "10.77.0.10",
    "",
  ]);
});

test("assign() leaves out addresses that the YAML gives", () => {
  const book = new AddressBook("10.77.0");
  book.assign(folderOf([instance("a-0"), instance("b-0", { fixedIps: ["10.77.0.10", "fd00::5"] })], []));
  expect([book.instance("shop/a-0"), book.allOf("shop/b-0")]).toEqual(["10.77.0.11", ["10.77.0.10", "fd00::5"]]);
});

test("assign() refuses an address that two workloads want", () => {
  const book = new AddressBook("10.77.0");
  const fixedIps = ["10.1.2.3"];
  const folder = folderOf([instance("a-0", { fixedIps }), instance("b-0", { fixedIps })], []);
  expect(() => book.assign(folder)).toThrow("address_taken: shop/b-0 wants 10.1.2.3");
});

test("assign() refuses more instances than a /24 has room for", () => {
  const many = Array.from({ length: 245 }, (_, i) => instance(`a-${i}`));
  expect(() => new AddressBook("10.77.0").assign(folderOf(many, []))).toThrow("too_many_instances");
});

test("service() gives the address of the YAML, and none to headless Services", () => {
  const book = new AddressBook("10.77.0");
  const fixed = service("fixed", { clusterIPs: ["10.96.0.1"] });
  const headless = service("headless", { headless: true });
  const open = service("open");
  book.assign(folderOf([], [fixed, headless, open]));
  expect([fixed, headless, open].map((each) => book.service(each))).toEqual(["10.96.0.1", null, "10.96.0.2"]);
});

test("toFile() writes what the controller reads, without instances that do not run", () => {
  const book = new AddressBook("10.77.0");
  book.assign(folderOf([instance("a-0"), instance("b-0")], [service("web")]));
  expect(JSON.parse(book.toFile(new Set(["shop/b-0"])))).toEqual({
    workloads: { "shop/a-0": ["10.77.0.10"] },
    services: { "shop/web": "10.96.0.1" },
  });
});
