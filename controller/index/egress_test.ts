import { expect, test } from "bun:test";
import { parseFile } from "../kube/parse_file.ts";
import { formatProblem } from "../kube/problem.ts";
import { outbound, workload, world } from "./_testing.ts";

const BASE = workload("web", "10.77.0.5");

function network(name: string, spec: string, namespace = "shop"): string {
  return `---
apiVersion: policy.tulle.dev/v1alpha1
kind: EgressNetwork
metadata: {name: ${name}, namespace: ${namespace}}
spec: {${spec}}
`;
}

function namespace(policy: string): string {
  return `---
apiVersion: v1
kind: Namespace
metadata: {name: shop, annotations: {tulle.dev/default-egress-policy: ${policy}}}
`;
}

const egress = (text: string, target = "198.51.100.7:443", from = "shop") =>
  outbound(world(BASE + text), target, from).egress;

test("where nobody says anything, everything may leave", () => {
  expect(egress("")).toBeNull();
  expect(egress(namespace("allow"))).toBeNull();
  expect(egress(network("all", "trafficPolicy: Allow"))).toBeNull();
});

test("a namespace's default holds for addresses outside of the cluster, and for nothing in the mesh", () => {
  const text = namespace("deny");
  expect(egress(text)).toMatchObject({ allow: false, rules: [] });
  expect(egress(text, "10.1.2.3:443")).toBeNull();
  expect(egress(text, "10.77.0.5:8080")).toBeNull();
  expect(egress(text, "198.51.100.7:443", "other")).toBeNull();
});

test("a network is about its addresses without its exceptions, and about its own namespace", () => {
  const text = namespace("deny") +
    network(
      "one",
      "trafficPolicy: Allow, networks: [{cidr: 198.51.100.0/24, except: [198.51.100.8/29]}], hosts: ['*.Example.org']",
    ) +
    network("two", "trafficPolicy: Deny", "other");
  expect(egress(text)?.rules).toEqual([{
    network: { group: "policy.tulle.dev", kind: "EgressNetwork", namespace: "shop", name: "one", section: "" },
    allow: true,
    hosts: ["*.example.org"],
  }]);
  expect(egress(text, "198.51.100.9:443")?.rules).toEqual([]);
  expect(egress(text, "203.0.113.1:443")?.rules).toEqual([]);
});

test("without networks it is about all addresses outside of the cluster; the cluster's own have to be named", () => {
  expect(egress(network("x", "trafficPolicy: Deny"), "10.1.2.3:443")).toBeNull();
  const named = network("x", "trafficPolicy: Deny, networks: [{cidr: 10.1.0.0/16}]");
  expect(egress(named, "10.1.2.3:443")?.rules).toMatchObject([{ allow: false }]);
  expect(
    egress(network("x", "trafficPolicy: Deny, networks: [{cidr: '2001:db8::/32'}]"), "[2001:db8::1]:443")?.rules.length,
  ).toBe(1);
});

test.each([
  ["allow", "10.1.0.0/16", null],
  ["deny", "10.1.0.0/16", false],
  ["deny", "10.1.2.3/32", false],
  ["deny", "10.0.0.0/8", false],
  ["deny", "10.2.0.0/16", null],
  ["deny", "0.0.0.0/0", null], // not meant: the internet, though that has these addresses, too
])("with default %s, what is allowed in %s makes the default of other names there: %p", (policy, cidr, allow) => {
  const text = namespace(policy) +
    network("x", `trafficPolicy: Allow, networks: [{cidr: ${cidr}}], hosts: [a.example]`);
  expect(egress(text, "10.1.2.3:443")?.allow ?? null).toBe(allow);
});

test("a default that cannot be read denies, and is told of", () => {
  expect(egress(namespace("dney"))?.allow).toBe(false);
  expect(world(BASE + namespace("dney")).warnings()[0]?.detail).toContain("want allow or deny");
});

test.each([
  ["hosts: [example.org]", "spec.trafficPolicy: missing, want Allow or Deny"],
  ["trafficPolicy: Allow, hosts: ['*']", 'spec.hosts[0]: found "*", want a host name such as api.example.org'],
  ["trafficPolicy: Allow, hosts: ['a.*.org']", 'spec.hosts[0]: found "a.*.org", want a host name'],
  ["trafficPolicy: Allow, networks: [{cidr: nonsense}]", 'spec.networks[0].cidr: found "nonsense", want a network'],
  ["trafficPolicy: allow", 'spec.trafficPolicy: found "allow", want one of Allow, Deny; did you mean Allow?'],
])("%s is refused with what is wanted", (spec, want) => {
  expect(parseFile("f.yaml", network("x", spec)).errors.map(formatProblem).join("\n")).toContain(want);
});
