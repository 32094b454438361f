import { expect, test } from "bun:test";
import * as codes from "./error_code.ts";

const constants: [string, number][] = [];
for (const [name, value] of Object.entries(codes)) if (typeof value === "number") constants.push([name, value]);

test.each(constants)("nameForCode() gives %s its own name", (constant, code) => {
  expect(codes.nameForCode(code)).toBe(constant.toLowerCase());
  expect([400, 414, 431, 501, 502, 505]).toContain(codes.statusForCode(code));
  expect(codes.textForCode(code)).toMatch(/^[^\r\n]{20,}[^.]$/);
});

test("nameForCode() knows codes that do not exist as unknown", () => {
  expect(codes.nameForCode(-999)).toBe("unknown");
  expect(codes.statusForCode(-999)).toBe(400);
});
