import { expect, test } from "bun:test";
import { VERSION } from "../../src/base/version.ts";
import { versionText } from "./version.ts";

test("versionText() names version and Bun in one line", () => {
  expect(versionText("table")).toStartWith(`tulle ${VERSION} (commit source, Bun ${Bun.version}, `);
});

test("versionText() gives one JSON object when asked for json", () => {
  expect(JSON.parse(versionText("json"))).toMatchObject({ version: VERSION, bun: Bun.version });
});
