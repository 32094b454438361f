import { mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "bun:test";
import { FolderSource, SETTLE_MS } from "./folder_source.ts";
import { keyOf } from "./resources.ts";

let folder = "";
let now = 1_800_000_000_000;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tulle-folder-"));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Writes a Namespace as of `now`, and lets the file settle. */
function write(file: string, name: string): void {
  const path = join(folder, file);
  writeFileSync(path, `apiVersion: v1\nkind: Namespace\nmetadata: {name: ${name}}\n`);
  utimesSync(path, now / 1000, now / 1000);
  now += SETTLE_MS + 1000;
}

function open(): FolderSource {
  const source = new FolderSource([folder], () => now);
  source.scan();
  return source;
}

function names(source: FolderSource): string[] {
  return source.resources.map(keyOf).sort();
}

test("scan() reads what is new and says when nothing is", () => {
  write("a.yaml", "a");
  write(".hidden.yaml", "hidden");
  write("notes.txt", "notes");
  const source = open();
  expect(names(source)).toEqual(["Namespace a"]);
  expect(source.scan()).toEqual({ changed: false, again: false });
  write("a.yaml", "b");
  expect(source.scan()).toEqual({ changed: true, again: false });
  expect(names(source)).toEqual(["Namespace b"]);
});

test("scan() sees a file that was replaced by a rename", () => {
  write("a.yaml", "a");
  const source = open();
  write("a.yaml.new", "b");
  renameSync(join(folder, "a.yaml.new"), join(folder, "a.yaml"));
  expect(source.scan().changed).toBe(true);
  expect(names(source)).toEqual(["Namespace b"]);
});

test("scan() leaves a file alone while it is being written", () => {
  const source = open();
  write("a.yaml", "a");
  const later = now;
  now -= SETTLE_MS + 1000 - 1;
  expect(source.scan()).toEqual({ changed: false, again: true });
  now = later;
  expect(source.scan()).toEqual({ changed: true, again: false });
});

test("scan() removes the objects of a file that stays away, not of one that is being renamed", () => {
  write("a.yaml", "a");
  const source = open();
  rmSync(join(folder, "a.yaml"));
  expect(source.scan()).toEqual({ changed: false, again: true });
  expect(names(source)).toEqual(["Namespace a"]);
  expect(source.scan()).toEqual({ changed: true, again: false });
  expect(names(source)).toEqual([]);
});

test("scan() keeps everything while the folder is away, and says so", () => {
  write("a.yaml", "a");
  const source = open();
  renameSync(folder, `${folder}.away`);
  for (let i = 0; i < 3; i++) source.scan();
  expect(names(source)).toEqual(["Namespace a"]);
  expect(source.folderErrors).toEqual([
    `bad_folder: cannot read ${folder}: it does not exist: create it, or name another one`,
  ]);
  renameSync(`${folder}.away`, folder);
  source.scan();
  expect(source.folderErrors).toEqual([]);
});

test("scan() refuses a file that is not UTF-8", () => {
  writeFileSync(join(folder, "a.yaml"), new Uint8Array([0x61, 0xff, 0xfe]));
  expect(open().status()[0]?.errors[0]?.detail).toBe("found bytes that are not UTF-8, want text");
});
