import { expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { boundLog, createStateFolder, isAlive, lastLines, removeFolder, startTime } from "./state_folder.ts";

test("createStateFolder() removes the folder of a run that is gone, and keeps that of one that lives", () => {
  const living = createStateFolder();
  const dead = mkdtempSync(join(tmpdir(), "tulle-up-"));
  writeFileSync(join(dead, "owner"), "1 0\n"); // process 1 did not start at 0
  const next = createStateFolder();
  const seen = [living, dead, next].map((folder) => existsSync(folder));
  for (const folder of [living, dead, next]) removeFolder(folder);
  expect(seen).toEqual([true, false, true]);
});

test("createStateFolder() lets others pass but not look", () => {
  const folder = createStateFolder();
  const mode = statSync(folder).mode & 0o777;
  removeFolder(folder);
  expect(mode).toBe(0o711);
});

test("isAlive() takes a number that was given anew for another process", () => {
  const started = startTime(process.pid);
  expect([isAlive(process.pid, started), isAlive(process.pid, "1"), isAlive(2 ** 30, "")]).toEqual([
    true,
    false,
    false,
  ]);
});

test("lastLines() gives the end of a log, boundLog() empties one that is too long", () => {
  const folder = mkdtempSync(join(tmpdir(), "tulle-log-"));
  const log = join(folder, "log");
  writeFileSync(log, "a\nb\n\nc\n");
  expect([lastLines(log, 2), lastLines(join(folder, "none"), 2)]).toEqual([["b", "c"], []]);
  boundLog(log);
  const short = statSync(log).size;
  writeFileSync(log, Buffer.alloc(9 * 1024 * 1024));
  boundLog(log);
  expect([short, statSync(log).size]).toEqual([7, 0]);
  rmSync(folder, { recursive: true });
});
