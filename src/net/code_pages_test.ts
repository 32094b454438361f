import { expect, test } from "bun:test";
import { dropCodePages, droppableRanges } from "./code_pages.ts";

const mapping = (range: string, permissions: string, path: string, anonymous: number) =>
  [
    `${range} ${permissions} 00001000 08:01 42                         ${path}`,
    "Size:               4096 kB",
    "Rss:                1024 kB",
    `Anonymous:             ${anonymous} kB`,
    "VmFlags: rd ex mr mw me",
  ].join("\n");

test("droppableRanges() takes clean read-only mappings of the file, and nothing else", () => {
  const smaps = [
    mapping("00400000-00800000", "r-xp", "/bin/tulle", 0),
    mapping("00800000-00c00000", "r--p", "/bin/tulle", 0),
    mapping("00c00000-01000000", "r--p", "/bin/tulle", 12), // relocations were applied here
    mapping("01000000-01400000", "rw-p", "/bin/tulle", 0),
    mapping("01400000-01800000", "r-xp", "/lib/libc.so.6", 0),
    mapping("01800000-01801000", "r--p", "/bin/tulle", 0), // too small
    "",
  ].join("\n");
  expect(droppableRanges(smaps, "/bin/tulle")).toEqual([
    { start: 0x400000n, length: 0x400000n },
    { start: 0x800000n, length: 0x400000n },
  ]);
});

test("droppableRanges() of any text is a list", () => {
  expect(droppableRanges("garbage\n\nAnonymous: 0 kB\n", "/bin/tulle")).toEqual([]);
});

test("dropCodePages() leaves a process that goes on as before", async () => {
  const before = new Bun.CryptoHasher("sha256").update("x").digest("hex");
  for (let i = 0; i < 20; i++) {
    dropCodePages();
    expect(new Bun.CryptoHasher("sha256").update("x").digest("hex")).toBe(before);
    expect(await new Response("body").text()).toBe("body");
  }
});
