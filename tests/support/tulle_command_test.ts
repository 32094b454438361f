import { afterEach, expect, test } from "bun:test";
import { tulleCommand } from "./tulle_command.ts";

const given = process.env["TULLE_BINARY"];

afterEach(() => {
  if (given === undefined) delete process.env["TULLE_BINARY"];
  else process.env["TULLE_BINARY"] = given;
});

test("tulleCommand() is TULLE_BINARY when that is set", () => {
  process.env["TULLE_BINARY"] = "/opt/tulle";
  expect(tulleCommand()).toEqual(["/opt/tulle"]);
});

test("tulleCommand() is the binary or the entry of the sources", () => {
  delete process.env["TULLE_BINARY"];
  expect(tulleCommand().at(-1)).toMatch(/(dist\/tulle|src\/main\.ts)$/);
});
