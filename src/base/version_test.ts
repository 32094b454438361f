import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { COMMIT, VERSION } from "./version.ts";

test("VERSION is the version that deno.json states", () => {
  const manifest = JSON.parse(readFileSync(new URL("../../deno.json", import.meta.url).pathname, "utf8")) as {
    version: string;
  };
  expect(VERSION).toBe(manifest.version);
});

test("COMMIT is `source` when nothing was compiled", () => {
  expect(COMMIT).toBe("source");
});
