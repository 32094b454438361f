import { expect, test } from "bun:test";
import fc from "fast-check";
import type { Egress, EgressRule } from "../../model/egress.ts";
import { defaultResource, NO_RESOURCE } from "../../model/resource.ts";
import { decideEgress, dependsOnHost } from "./egress.ts";

function rule(allow: boolean, ...hosts: string[]): EgressRule {
  return { network: { ...NO_RESOURCE, kind: "EgressNetwork", name: `${allow} ${hosts}` }, allow, hosts };
}

function egress(allow: boolean, ...rules: EgressRule[]): Egress {
  return { allow, fallback: defaultResource(allow ? "allow" : "deny"), rules };
}

test.each<[Egress, string | null, boolean]>([
  [egress(true), null, true],
  [egress(false), "a.org", false],
  [egress(false, rule(true, "a.org")), "a.org", true],
  [egress(false, rule(true, "a.org")), "b.a.org", false],
  [egress(false, rule(true, "a.org")), null, false],
  [egress(false, rule(true, "*.a.org")), "x.y.a.org", true],
  [egress(false, rule(true, "*.a.org")), "a.org", false],
  [egress(false, rule(true, "*.a.org")), "evila.org", false],
  [egress(true, rule(false, "a.org")), "a.org", false],
  [egress(true, rule(false, "a.org")), "b.org", true],
  [egress(true, rule(true, "a.org"), rule(false)), "a.org", false],
  [egress(false, rule(true)), null, true],
])("%p for %p: %p", (egress, host, permit) => {
  expect(decideEgress(egress, host, true).permit).toBe(permit);
});

test("where the nameserver has not given the address, a name admits to nothing; the rest is as it was", () => {
  const named = egress(false, rule(true, "a.org"));
  expect(decideEgress(named, "a.org", false)).toMatchObject({ permit: false, cause: "not_resolved" });
  expect(decideEgress(named, "b.org", false)).toMatchObject({ permit: false, cause: "policy" });
  expect(decideEgress(named, null, false)).toMatchObject({ permit: false, cause: "policy" });
  expect(decideEgress(egress(false, rule(true, "*.a.org")), "b.a.org", false).cause).toBe("not_resolved");
  expect(decideEgress(egress(false, rule(true, "a.org"), rule(true)), "a.org", false).permit).toBe(true);
  expect(decideEgress(egress(true, rule(true, "a.org")), "a.org", false).permit).toBe(true);
  expect(decideEgress(egress(true, rule(false, "a.org")), "a.org", false).cause).toBe("policy");
});

const host = fc.constantFrom("a.org", "b.a.org", "c.org");
const anyRule = fc.record({
  network: fc.constant(NO_RESOURCE),
  allow: fc.boolean(),
  hosts: fc.array(fc.constantFrom("a.org", "*.a.org", "c.org", "*.org"), { maxLength: 2 }),
});
const anyEgress = fc.record({
  allow: fc.boolean(),
  fallback: fc.constant(NO_RESOURCE),
  rules: fc.array(anyRule, { maxLength: 5 }),
});

test("adding a denial never admits more, the order does not matter, and a name matters only where it is said to", () => {
  fc.assert(fc.property(anyEgress, anyRule, fc.option(host), (egress, more, host) => {
    const { permit } = decideEgress(egress, host, true);
    const denied = decideEgress({ ...egress, rules: [...egress.rules, { ...more, allow: false }] }, host, true);
    if (!permit) expect(denied.permit).toBe(false);
    expect(decideEgress({ ...egress, rules: egress.rules.toReversed() }, host, true).permit).toBe(permit);
    if (!dependsOnHost(egress)) expect(decideEgress(egress, null, true).permit).toBe(permit);
  }));
});
