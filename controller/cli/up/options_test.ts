import { expect, test } from "bun:test";
import { parseUpOptions, type UpOptions } from "./options.ts";

function parsed(...args: string[]): UpOptions {
  const options = parseUpOptions(args);
  if (options === "help") throw new Error("asked for help");
  return options;
}

test("parseUpOptions() fills in what is not said", () => {
  expect(parsed("-f", "mesh")).toEqual({
    folders: ["mesh"],
    forMs: null,
    output: "table",
    intervalMs: 1000,
    proveFile: null,
    minSuccessPercent: 90,
    rootless: false,
    keepState: false,
    trustDomain: "cluster.local",
    leafLifetime: null,
    accessLog: false,
  });
});

test("parseUpOptions() reads all that can be said", () => {
  const options = parsed("--", "-f", "a", "-f", "b", "--for", "20s", "-o", "json", "--prove", "--min-success", "99.5");
  expect(options).toMatchObject({
    folders: ["a", "b"],
    forMs: 20_000,
    output: "json",
    proveFile: "a/prove/claims.yaml",
    minSuccessPercent: 99.5,
  });
  expect(parsed("-f", "a", "--prove", "mine.yaml").proveFile).toBe("mine.yaml");
});

test.each([
  [[], "--folder"],
  [["-f", "a", "--for", "20"], '--for: found "20"'],
  [["-f", "a", "--interval", "1ms"], "--interval: found 1ms, want at least 200ms"],
  [["-f", "a", "-o", "xml"], "table, json"],
  [["-f", "a", "--min-success", "101"], "--min-success"],
  [["-f", "a", "--prov"], "--prov"],
])("parseUpOptions() refuses %p with a reason", (args, reason) => {
  expect(() => parseUpOptions(args)).toThrow(reason);
});
