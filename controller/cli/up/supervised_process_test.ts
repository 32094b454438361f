import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ProcessEnd, SupervisedProcess } from "./supervised_process.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tulle-supervised-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

function supervised(command: string[], onEnd: (end: ProcessEnd) => void): SupervisedProcess {
  return new SupervisedProcess({
    name: "it",
    command,
    workingDir: folder,
    env: { PATH: process.env["PATH"] ?? "", GREETING: "hello" },
    logFile: join(folder, "log"),
    uid: null,
    inside: (work) => work(),
  }, onEnd);
}

test("start() runs the command with its environment and folder, and its output goes to the log", async () => {
  const { promise, resolve } = Promise.withResolvers<ProcessEnd>();
  const it = supervised(["sh", "-c", 'echo "$GREETING $(pwd)"; echo oops >&2; exit 3'], resolve);
  it.start();
  const end = await promise;
  await it.stop(1000);
  expect(readFileSync(join(folder, "log"), "utf8")).toBe(`hello ${folder}\noops\n`);
  expect(end).toEqual({ name: "it", how: "exit status 3", restartInMs: 500, lastLines: [`hello ${folder}`, "oops"] });
});

test("start() starts again what has ended, with a longer pause each time", async () => {
  const pauses: number[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const it = supervised(["false"], (end) => {
    pauses.push(end.restartInMs);
    if (pauses.length === 2) resolve();
  });
  it.start();
  await promise;
  await it.stop(1000);
  expect([pauses, it.restarts]).toEqual([[500, 1000], 1]);
});

test("start() reports a program that is not there", async () => {
  const { promise, resolve } = Promise.withResolvers<ProcessEnd>();
  const it = supervised(["/no/such/program"], resolve);
  it.start();
  expect((await promise).how).toContain("/no/such/program");
  await it.stop(1000);
});

test("stop() ends a willing process in order, and kills one that ignores SIGTERM", async () => {
  const willing = supervised(["sleep", "60"], () => {});
  const deaf = supervised(["sh", "-c", "trap '' TERM; echo deaf; while :; do sleep 0.05; done"], () => {});
  willing.start();
  deaf.start();
  while (!Bun.file(join(folder, "log")).size) await Bun.sleep(5); // until the trap is set
  expect(await Promise.all([willing.stop(5000), deaf.stop(100)])).toEqual([true, false]);
  expect([willing.running, deaf.running]).toEqual([false, false]);
});

test("start() does nothing after stop()", async () => {
  const it = supervised(["sleep", "60"], () => {});
  await it.stop(1000);
  it.start();
  expect(it.running).toBe(false);
});
