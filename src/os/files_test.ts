import { afterAll, expect, test } from "bun:test";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  FileError,
  linkTarget,
  listFolder,
  makeFolder,
  readBytes,
  readText,
  removeFile,
  replaceFile,
} from "./files.ts";

const dir = mkdtempSync(join(tmpdir(), "tulle-files-"));
afterAll(() => rmSync(dir, { recursive: true }));

function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof FileError) return error.code;
  }
  return "nothing was thrown";
}

test("what replaceFile() writes is what readText(), readBytes() and others read", () => {
  const path = join(dir, "größe.txt");
  replaceFile(path, "erst");
  replaceFile(path, "dann: ü€😀");
  expect(readText(path)).toBe("dann: ü€😀");
  expect(readFileSync(path, "utf8")).toBe("dann: ü€😀");
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(readdirSync(dir)).toEqual(["größe.txt"]); // no draft is left
  removeFile(path);
});

test.each([0, 1, 16_383, 16_384, 16_385, 1_000_003])("readBytes() and replaceFile() carry %i bytes whole", (length) => {
  const path = join(dir, "bytes");
  const bytes = Uint8Array.from({ length }, (_, i) => i * 7);
  replaceFile(path, bytes);
  expect(Buffer.compare(readBytes(path), bytes)).toBe(0);
  expect(readFileSync(path).length).toBe(length);
});

test("readText() reads what the kernel makes up while it is read", () => {
  expect(readText("/proc/self/smaps")).toContain("VmFlags:");
  expect(readText("/proc/self/stat")).toStartWith(`${process.pid} (`);
});

test("listFolder() lists what is there, more than one call gives", () => {
  const folder = join(dir, "many");
  mkdirSync(folder);
  const names = Array.from({ length: 700 }, (_, i) => `a file with a long name, so that they do not fit ${i}`);
  for (const name of names) writeFileSync(join(folder, name), "");
  expect(listFolder(folder).sort()).toEqual([...names].sort());
});

test("makeFolder() makes those above as well, for the owner alone", () => {
  const folder = join(dir, "a/b/c");
  makeFolder(folder);
  makeFolder(folder);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
});

test("linkTarget() says where a link points", () => {
  symlinkSync("/somewhere/else", join(dir, "link"));
  expect(linkTarget(join(dir, "link"))).toBe("/somewhere/else");
});

test("errors carry the kernel's code", () => {
  const missing = join(dir, "missing");
  expect(codeOf(() => readText(missing))).toBe("ENOENT");
  expect(codeOf(() => readText(dir))).toBe("EISDIR");
  expect(codeOf(() => listFolder(missing))).toBe("ENOENT");
  expect(codeOf(() => linkTarget(missing))).toBe("ENOENT");
  expect(codeOf(() => replaceFile(join(missing, "file"), ""))).toBe("ENOENT");
  expect(codeOf(() => makeFolder("/proc/nowhere/at/all"))).toBe("ENOENT");
  expect(codeOf(() => removeFile(dir))).toBe("EISDIR");
  expect(codeOf(() => readText("a\0b"))).toBe("EINVAL");
  expect(() => readText(missing)).toThrow(`ENOENT: cannot read ${missing}`);
  removeFile(missing);
});

test("a file that is longer than allowed is refused", () => {
  const path = join(dir, "long");
  replaceFile(path, "x".repeat(20_000));
  expect(codeOf(() => readBytes(path, 19_999))).toBe("EFBIG");
  expect(readText(path, 20_000).length).toBe(20_000);
});

test("no call keeps a descriptor", () => {
  const open = () => readdirSync("/proc/self/fd").length;
  const before = open();
  for (let i = 0; i < 100; i++) {
    listFolder(dir);
    replaceFile(join(dir, "f"), "x");
    readText(join(dir, "f"));
    codeOf(() => readText(dir));
    codeOf(() => readBytes(join(dir, "long"), 1));
  }
  expect(open()).toBe(before);
});

test("writeText() writes to a descriptor, and says when it cannot", async () => {
  const child = Bun.spawn([
    process.execPath,
    "-e",
    `const { writeText } = await import(${JSON.stringify(join(import.meta.dirname, "files.ts"))});
     if (!writeText(1, "ü\\n") || writeText(999, "x")) process.exit(1);`,
  ], { stdout: "pipe" });
  expect(await new Response(child.stdout).text()).toBe("ü\n");
  expect(await child.exited).toBe(0);
});
