import { expect, test } from "bun:test";
import { parseFile } from "../kube/parse_file.ts";
import { formatProblem } from "../kube/problem.ts";
import { httpRoute, service, workload, world } from "./_testing.ts";

function object(kind: string, name: string, spec: string): string {
  return `---
apiVersion: policy.tulle.dev/v1alpha1
kind: ${kind}
metadata: {name: ${name}, namespace: shop}
spec: ${spec}
`;
}

const SERVER = object("Server", "web", "{externalWorkloadSelector: {matchLabels: {app: web}}, port: http}");
const BASE = workload("web", "10.77.0.5") + SERVER;
const limit = (spec: string, name = "limit", target = "kind: Server, name: web") =>
  object("RateLimitPolicy", name, `{targetRef: {${target}}, ${spec}}`);

function firstError(text: string): string {
  const problem = parseFile("f.yaml", text).errors[0];
  return problem === undefined ? "" : formatProblem(problem);
}

test("a RateLimitPolicy reaches the port of its Server, with identities for accounts", () => {
  const spec = `total: {requestsPerSecond: 100}, header: {name: X-Tenant, requestsPerSecond: 5, burst: 9},
    overrides: [{requestsPerSecond: 7, burst: 8, clientRefs: [{kind: ServiceAccount, name: batch, namespace: ops}]}]`;
  expect(world(BASE + limit(spec)).inbound("shop", "web-0")?.ports[0]?.rateLimit).toEqual({
    policy: { group: "policy.tulle.dev", kind: "RateLimitPolicy", namespace: "shop", name: "limit", section: "" },
    total: { requestsPerSecond: 100, burst: 100 },
    identity: null,
    overrides: [{
      rate: { requestsPerSecond: 7, burst: 8 },
      identities: ["spiffe://cluster.local/ns/ops/sa/batch"],
    }],
    header: { name: "x-tenant", rate: { requestsPerSecond: 5, burst: 9 } },
  });
});

test("of several policies for a Server one holds, whatever their order, and the other is warned of", () => {
  const [a, b] = [
    limit("total: {requestsPerSecond: 1}", "a"),
    limit("total: {requestsPerSecond: 2}", "b"),
  ];
  for (const text of [BASE + a + b, BASE + b + a]) {
    const found = world(text);
    expect(found.inbound("shop", "web-0")?.ports[0]?.rateLimit?.policy.name).toBe("a");
    expect(found.warnings().map(({ object }) => object)).toContain("RateLimitPolicy shop/b");
  }
});

test("a RateLimitPolicy of a route reaches all its rules, beside that of a Server of the same name", () => {
  const route = httpRoute("web", "[{matches: [{path: {value: /a}}]}, {matches: [{path: {value: /b}}]}]", {
    parent: "group: policy.tulle.dev, kind: Server, name: web",
  }) + httpRoute("free", "[{matches: [{path: {value: /c}}]}]", {
    parent: "group: policy.tulle.dev, kind: Server, name: web",
  });
  const both = limit("total: {requestsPerSecond: 9}", "port") +
    limit("total: {requestsPerSecond: 1}", "route", "kind: HTTPRoute, name: web");
  const found = world(BASE + route + both);
  const port = found.inbound("shop", "web-0")?.ports[0];
  expect(port?.rateLimit?.policy.name).toBe("port");
  expect(port?.routes.map(({ route, rateLimit }) => `${route.name} ${rateLimit?.policy.name}`)).toEqual([
    "free undefined",
    "web route",
    "web route",
  ]);
  expect(found.warnings()).toEqual([]);
});

test("a RateLimitPolicy of a route that no Server has is warned of", () => {
  const policy = limit("total: {requestsPerSecond: 1}", "x", "kind: HTTPRoute, name: web");
  const [warning] = world(BASE + service("web", "10.96.0.1") + httpRoute("web", "[{}]") + policy).warnings();
  expect(warning?.object).toBe("RateLimitPolicy shop/x");
  expect(warning?.detail).toContain("has no Server as a parent: requests are limited where they arrive");
});

test("a target that is elsewhere or nowhere is warned of", () => {
  const elsewhere = limit("total: {requestsPerSecond: 1}", "x", "kind: Server, name: web, namespace: ops");
  expect(world(BASE + elsewhere).warnings()[0]?.detail).toContain("not in its own namespace");
  const nowhere = limit("total: {requestsPerSecond: 1}", "x", "kind: Server, name: wbe");
  expect(world(BASE + nowhere).warnings()[0]?.detail).toContain("Server shop/wbe does not exist");
});

test.each([
  ["total: {requestsPerSecond: 0}", "spec.total.requestsPerSecond: found 0, want a number 1–1000000"],
  ["total: {burst: 5}", "spec.total.requestsPerSecond: missing, want a number 1–1000000"],
  ["header: {name: 'a b', requestsPerSecond: 1}", 'spec.header.name: found "a b", want the name of a header'],
  ["overrides: [{requestsPerSecond: 1}]", "spec.overrides[0].clientRefs: missing, want at least one ServiceAccount"],
  ["total: null", "found no rate, want total, identity, overrides or header"],
  ["totl: {requestsPerSecond: 1}", 'spec.totl: unknown key, did you mean "total"?'],
])("%s is refused with what is wanted", (spec, want) => {
  expect(parseFile("f.yaml", limit(spec)).errors.map(formatProblem).join("\n")).toContain(want);
});

test("only a Server and routes can be limited", () => {
  expect(firstError(limit("total: {requestsPerSecond: 1}", "x", "kind: Service, name: web"))).toContain(
    "one of Server, HTTPRoute, GRPCRoute",
  );
});
