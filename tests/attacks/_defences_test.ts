import { expect, test } from "bun:test";
import { changedFiles, DEFENCES } from "./_defences.ts";
import { FAMILIES } from "./_families.ts";

test.each(Object.entries(DEFENCES))("the source still has what is to be taken out: %s", (_name, defence) => {
  expect(changedFiles(defence).size).toBeGreaterThan(0);
});

test("a text that is not there is an error", () => {
  const changes = [{ file: "src/http/limits.ts", find: "NO_SUCH_LIMIT", replace: "" }];
  expect(() => changedFiles({ changes })).toThrow("found 0 times, want once");
});

test("every family of attacks has a defence whose absence it shows", () => {
  const attacks = Object.values(DEFENCES).map((defence) => new RegExp(defence.attacks));
  for (const [family, all] of Object.entries(FAMILIES)) {
    const isShown = all.some(({ name, place }) => attacks.some((one) => one.test(`${family}: ${name} (${place})`)));
    expect(isShown, family).toBe(true);
  }
});
