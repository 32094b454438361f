import { expect, test } from "bun:test";
import { CASES, loadKey, protocolOf } from "./cases.ts";

test("every case has a name of its own, and one line for readers", () => {
  expect(new Set(CASES.map((item) => item.name)).size).toBe(CASES.length);
  for (const item of CASES) expect(item.about).not.toBe("");
});

test("cases of a group stand together, so that its proxies are started once", () => {
  const groups = CASES.map((item) => item.group).filter((group, at, all) => group !== all[at - 1]);
  expect(groups).toEqual(["memory", "hop", "pair", "workers"]);
});

test("a rate that depends on a case names one of the same protocol that runs before", () => {
  const names = CASES.map((item) => item.name);
  for (const item of CASES) {
    if (item.load.kind !== "open" || typeof item.load.rate === "number") continue;
    const at = names.indexOf(item.load.rate.of);
    expect(at).toBeWithin(0, names.indexOf(item.name));
    expect(protocolOf((CASES[at] as typeof item).load)).toBe(protocolOf(item.load)); // found above
  }
});

test("loadKey() is the same for the same load in both shapes", () => {
  const [hop, pair] = ["hop-h1-c32", "pair-h1-c32"].map((name) => CASES.find((item) => item.name === name));
  expect(loadKey(hop as typeof CASES[number])).toBe(loadKey(pair as typeof CASES[number])); // cases of the list
});
