import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NamespaceNames, removeStaleNames } from "./namespace_names.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tulle-names-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("add() names a descriptor of the holding process, remove() takes the name away", () => {
  const names = new NamespaceNames(4711, 0, folder);
  expect(names.add("shop/web-0", "web-0", 9)).toBe("tulle-web-0");
  expect(readlinkSync(join(folder, "tulle-web-0"))).toBe("/proc/4711/fd/9");
  names.remove("shop/web-0");
  expect(readdirSync(folder)).toEqual([]);
});

test("add() tells runs apart and leaves a taken name to who has it", () => {
  new NamespaceNames(1, 0, folder).add("shop/web-0", "web-0", 9);
  const second = new NamespaceNames(2, 1, folder);
  expect([second.add("shop/web-0", "web-0", 9), second.add("other/web-0", "web-0", 10)]).toEqual([
    "tulle1-web-0",
    null,
  ]);
});

test("removeAll() removes the folder too when nothing else is in it", () => {
  const names = new NamespaceNames(1, 0, folder);
  names.add("shop/web-0", "web-0", 9);
  names.removeAll();
  expect(existsSync(folder)).toBe(false);
});

test("removeStaleNames() removes links to processes that are gone, and nothing else", () => {
  symlinkSync("/proc/1073741824/fd/3", join(folder, "tulle-gone"));
  symlinkSync("/proc/self/fd/0", join(folder, "tulle-of-another-kind"));
  symlinkSync(`/proc/${process.pid}/fd/1`, join(folder, "tulle-alive"));
  symlinkSync("/proc/1073741824/fd/3", join(folder, "foreign"));
  writeFileSync(join(folder, "tulle-file"), "");
  removeStaleNames(folder);
  expect(readdirSync(folder).sort()).toEqual(["foreign", "tulle-alive", "tulle-file", "tulle-of-another-kind"]);
});
