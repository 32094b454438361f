/** That users find each error where the README lists them. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { failure } from "../upstream/failure.ts";
import { CODES, errorResponse } from "./respond.ts";

test("the README has a line for each code, with the status that it is answered with", () => {
  const readme = readFileSync(join(import.meta.dir, "../../../README.md"), "utf8");
  const lines = [...readme.matchAll(/^\| `([a-z0-9_]+)` +\| ([45]\d\d) +\|/gm)].map(([, code, status]) =>
    `${code} ${status}`
  );
  const rendered = CODES.map((code) => `${code} ${errorResponse(failure(code, ""), false, false).head.status}`);
  expect(lines.sort()).toEqual(rendered.sort());
});
