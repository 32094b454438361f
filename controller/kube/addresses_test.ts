import { expect, test } from "bun:test";
import fc from "fast-check";
import { parseAddresses } from "./addresses.ts";

test("parseAddresses() reads workloads and Services, in canonical form", () => {
  const text = '{"workloads": {"shop/web-0": ["10.77.0.12", "FD00::0:1"]}, "services": {"shop/web": "10.96.0.3"}}';
  expect(parseAddresses("a.json", text)).toEqual({
    workloads: new Map([["shop/web-0", ["10.77.0.12", "fd00::1"]]]),
    services: new Map([["shop/web", "10.96.0.3"]]),
  });
});

test.each([
  ["{", "a.json: not JSON"],
  ['{"workload": {}}', 'a.json: workload: unknown key, did you mean "workloads"?'],
  ['{"services": {"shop/web": "x"}}', 'a.json: services["shop/web"]: found "x", want an IP address'],
  ['{"workloads": {"shop/web-0": "10.0.0.1"}}', 'found "10.0.0.1", want a list of addresses'],
])("parseAddresses() refuses %s", (text, want) => {
  const parsed = parseAddresses("a.json", text);
  expect("workloads" in parsed ? "" : parsed.join("\n")).toContain(want);
});

test("parseAddresses() gives addresses or reasons for any JSON", () => {
  fc.assert(fc.property(fc.json(), (text) => {
    const parsed = parseAddresses("a.json", text);
    expect("workloads" in parsed || parsed.length > 0).toBe(true);
  }));
});
