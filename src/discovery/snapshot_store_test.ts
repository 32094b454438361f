import { afterAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "../../tests/support/eventually.ts";
import { SnapshotStore } from "./snapshot_store.ts";

const root = mkdtempSync(join(tmpdir(), "tulle-store-"));
afterAll(() => rmSync(root, { recursive: true }));

function store(dir = join(mkdtempSync(join(root, "dir-")), "a", "b")) {
  const errors: unknown[] = [];
  return { dir, errors, store: new SnapshotStore(dir, (error) => void errors.push(error)) };
}

test("save(), remove() and flush() leave one file per resource, readable by its owner only", () => {
  const { dir, errors, store: first } = store();
  first.save("outbound/[::1]:80", Uint8Array.of(1));
  first.save("outbound/[::1]:80", Uint8Array.of(2));
  first.save("inbound", Uint8Array.of(3));
  first.save("gone", Uint8Array.of(4));
  first.flush();
  first.remove("gone");
  first.remove("never there");
  first.flush();
  const files = readdirSync(dir);
  expect([files.length, files.map((name) => statSync(join(dir, name)).mode & 0o777)]).toEqual([2, [0o600, 0o600]]);
  expect(store(dir).store.load().map((bytes) => bytes[0]).sort()).toEqual([2, 3]);
  expect(errors).toEqual([]);
});

test("save() keeps a copy: the message is a view of a buffer that is reused", () => {
  const { dir, store: first } = store();
  const buffer = Uint8Array.of(7);
  first.save("inbound", buffer);
  buffer[0] = 9;
  first.flush();
  expect(store(dir).store.load()[0]?.[0]).toBe(7);
});

test("load() passes over files that are too large, and over a missing folder", () => {
  const { dir, errors, store: first } = store();
  expect(first.load()).toEqual([]);
  first.save("inbound", Uint8Array.of(1));
  first.flush();
  writeFileSync(join(dir, "x.snapshot"), new Uint8Array(5 * 1024 * 1024));
  expect([first.load().length, errors]).toEqual([1, []]);
});

test("what could not be written is written when that is possible again, and what came after it as well", async () => {
  const { dir } = store();
  const obstacle = dir.replace(/\/a\/b$/, "/a");
  writeFileSync(obstacle, "a file where the folder should be");
  const { errors, store: second } = store(dir);
  second.save("inbound", Uint8Array.of(1));
  second.save("other", Uint8Array.of(2));
  second.flush();
  second.save("inbound", Uint8Array.of(3));
  second.flush();
  expect(errors.length).toBe(1); // said once
  rmSync(obstacle);
  await eventually(() => expect(store(dir).store.load().map((bytes) => bytes[0]).sort()).toEqual([2, 3]));
});

test("one file that cannot be written does not keep others from it", () => {
  const { dir, errors, store: first } = store();
  first.save("inbound", Uint8Array.of(1));
  first.flush();
  const [name = ""] = readdirSync(dir);
  rmSync(join(dir, name));
  mkdirSync(join(dir, name, "x"), { recursive: true });
  first.save("inbound", Uint8Array.of(1));
  first.save("other", Uint8Array.of(2));
  first.flush();
  expect(errors.length).toBe(1);
  expect(readdirSync(dir).filter((file) => file !== name && file.endsWith(".snapshot")).length).toBe(1);
  expect(readdirSync(dir).length).toBe(2); // no draft is left: it would take the place that is missing
});

test("flush() reports a folder that cannot be written and goes on", () => {
  const { dir } = store();
  writeFileSync(dir.replace(/\/a\/b$/, "/a"), "a file where the folder should be");
  const { errors, store: second } = store(dir);
  second.save("inbound", Uint8Array.of(1));
  second.flush();
  expect(errors.length).toBe(1);
});
