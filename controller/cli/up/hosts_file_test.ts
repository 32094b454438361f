import { expect, test } from "bun:test";
import { AddressBook } from "./address_book.ts";
import { folderOf, instance, service } from "./_builders.ts";
import { hostsFile } from "./hosts_file.ts";

const NAMES = "web.shop.svc.cluster.local web.shop.svc web.shop";

function linesOf(about: ReturnType<typeof instance>, missing: string[] = [], headless = false): string[] {
  const folder = folderOf([about, instance("web-0"), instance("web-1")], [service("web", { headless })]);
  const book = new AddressBook("10.77.0");
  book.assign(folder);
  return hostsFile(about, folder, book, new Set(missing)).trim().split("\n").slice(2);
}

test("hostsFile() gives a meshed instance the Service's address, by all names", () => {
  expect(linesOf(instance("client-0"))).toEqual(["10.77.0.10 client-0", `10.96.0.1 ${NAMES} web`]);
});

test("hostsFile() gives an unmeshed instance the endpoints themselves", () => {
  expect(linesOf(instance("client-0", { meshed: false }))).toEqual([
    "10.77.0.10 client-0",
    `10.77.0.11 ${NAMES} web`,
    `10.77.0.12 ${NAMES} web`,
  ]);
});

test("hostsFile() gives the endpoints of a headless Service", () => {
  expect(linesOf(instance("client-0"), [], true).slice(1)).toEqual([
    `10.77.0.11 ${NAMES} web`,
    `10.77.0.12 ${NAMES} web`,
  ]);
});

test("hostsFile() leaves out endpoints that do not run", () => {
  expect(linesOf(instance("client-0", { meshed: false }), ["shop/web-0"]).slice(1)).toEqual([
    `10.77.0.12 ${NAMES} web`,
  ]);
});

test("hostsFile() keeps the bare name for the Service's own namespace", () => {
  const lines = linesOf(instance("client-0", { namespace: "other" }));
  expect(lines[1]).toBe(`10.96.0.1 ${NAMES}`);
});
