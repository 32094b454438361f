import { expect, test } from "bun:test";
import fc from "fast-check";
import { INVALID_BACKEND, type Protocol } from "../core/snapshot.ts";
import { parse } from "yaml";
import { decodeResource } from "../kube/decode.ts";
import { httpRoute, outbound, resources, service, workload, world } from "./_testing.ts";

const WEB = workload("web", "10.77.0.5") + service("web", "10.96.0.5");
const V2 = workload("v2", "10.77.0.6") + service("v2", "10.96.0.6");

test.each([
  ["10.96.0.5:80", "the Service's address"],
  ["[::ffff:10.96.0.5]:80", "its IPv4-mapped address"],
  ["web.shop.svc.cluster.local:80", "its full name"],
  ["web.shop.svc:80", "a shorter name"],
  ["web.shop:80", "name and namespace"],
  ["web:80", "its name in its own namespace"],
])("outbound() finds a Service at %s, %s", (target) => {
  const found = outbound(world(WEB), target);
  expect(found.authority).toBe("web.shop.svc.cluster.local:80");
  expect(found.backends[0]?.endpoints).toEqual([{
    ip: "10.77.0.5",
    port: 8080,
    identity: "spiffe://cluster.local/ns/shop/sa/web",
    meshPort: 4143,
    zone: "",
    workload: { namespace: "shop", name: "web-0" },
  }]);
});

test.each([
  ["web:80", "other", "a bare name in another namespace"],
  ["web.shop.svc.example.org:80", "shop", "another cluster's name"],
  ["192.0.2.1:443", "shop", "an address of nobody"],
  ["10.77.0.5:4143", "shop", "a port of the sidecar itself"],
])("outbound() does not know %s from %s: %s", (target, namespace) => {
  expect(outbound(world(WEB), target, namespace).known).toBe(false);
});

test("outbound() knows an undeclared port of a Service and gives it no backend", () => {
  expect(outbound(world(WEB), "10.96.0.5:81")).toMatchObject({ known: true, routes: [], backends: [] });
});

test("outbound() keeps identity and protocol when a workload is called by its own address", () => {
  const found = outbound(
    world(workload("web", "10.77.0.5", "ports: [{name: g, port: 9000, appProtocol: grpc}]")),
    "10.77.0.5:9000",
  );
  expect(found).toMatchObject({ known: true, protocol: "grpc", parent: { kind: "ExternalWorkload", name: "web" } });
  expect(found.backends[0]?.endpoints[0]).toMatchObject({
    identity: "spiffe://cluster.local/ns/shop/sa/web",
    meshPort: 4143,
  });
});

test("outbound() has one endpoint for each replica that has an address", () => {
  const text = workload("web", "10.77.0.5", "run: {replicas: 3, command: [web]}\n  ports: [{name: http, port: 8080}]") +
    service("web", "10.96.0.5");
  const found = outbound(world(text, '{"workloads": {"shop/web-1": ["10.77.0.11"]}}'), "web:80");
  expect(found.backends[0]?.endpoints.map(({ ip, workload }) => [ip, workload?.name])).toEqual([
    ["10.77.0.11", "web-1"],
    ["10.77.0.5", "web-0"],
  ]);
});

test.each([
  ["tulle.dev/inject: disabled", "the workload's annotation"],
])("outbound() reaches a workload in plaintext by %s, %s", (annotation) => {
  const text = workload("web", "10.77.0.5", undefined, `, annotations: {${annotation}}`) + service("web", "10.96.0.5");
  expect(outbound(world(text), "web:80").backends[0]?.endpoints[0]).toMatchObject({
    identity: "",
    meshPort: 0,
    port: 8080,
  });
});

const SLICE = `---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: db-1, namespace: shop, labels: {kubernetes.io/service-name: db}}
addressType: IPv4
endpoints:
- {addresses: [10.0.0.1], conditions: {ready: true}, zone: a}
- {addresses: [10.0.0.2], conditions: {ready: false}}
- {addresses: [10.0.0.3], conditions: {ready: true, terminating: true}}
- {addresses: [10.77.0.5]}
ports: [{name: "", port: 5432}]
---
apiVersion: v1
kind: Service
metadata: {name: db, namespace: shop}
spec: {ports: [{port: 5432}]}
`;

test("outbound() takes ready endpoints of slices, with the identity of workloads among them", () => {
  const endpoints = outbound(world(WEB + SLICE), "db:5432").backends[0]?.endpoints;
  expect(endpoints?.map(({ ip, identity, zone }) => [ip, identity, zone])).toEqual([
    ["10.0.0.1", "", "a"],
    ["10.77.0.5", "spiffe://cluster.local/ns/shop/sa/web", ""],
  ]);
});

test("outbound() takes endpoints that are ending where nobody else is left, as long as they serve", () => {
  const slice = (conditions: string) =>
    SLICE.replace(
      /endpoints:[^]*?ports:/,
      `endpoints:
- {addresses: [10.0.0.2], conditions: {ready: false}}
- {addresses: [10.77.0.5], conditions: ${conditions}}
ports:`,
    );
  const found = (text: string) =>
    outbound(world(WEB + text), "db:5432").backends[0]?.endpoints.map(({ ip, meshPort }) => [ip, meshPort]);
  expect(found(slice("{ready: false, serving: true, terminating: true}"))).toEqual([["10.77.0.5", 4143]]);
  expect(found(slice("{ready: false, serving: false, terminating: true}"))).toEqual([]);
});

const LOCAL = `---
apiVersion: v1
kind: Service
metadata: {name: log, namespace: shop}
spec: {clusterIP: 10.96.0.9, internalTrafficPolicy: Local, ports: [{port: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: log-1, namespace: shop, labels: {kubernetes.io/service-name: log}}
addressType: IPv4
endpoints: [{addresses: [10.0.1.1], nodeName: n1}, {addresses: [10.0.2.1], nodeName: n2}, {addresses: [10.0.9.1]}]
ports: [{port: 8080}]
`;

function pod(name: string, node: string): string {
  return `---
apiVersion: v1
kind: Pod
metadata: {name: ${name}, namespace: shop}
spec: {nodeName: ${node}, containers: [{name: app}]}
`;
}

test.each([
  ["a client on a node with an endpoint", "on-1", ["10.0.1.1"]],
  ["a client on another node", "on-2", ["10.0.2.1"]],
  ["a client on a node without an endpoint", "on-3", []],
  ["a client without a node", "", ["10.0.1.1", "10.0.2.1", "10.0.9.1"]],
])("outbound() of a Service with internalTrafficPolicy Local tells %s", (_, client, expected) => {
  const pods = pod("on-1", "n1") + pod("on-2", "n2") + pod("on-3", "n3");
  const from = world(WEB + LOCAL + pods + httpRoute("to-log", "[{backendRefs: [{name: log, port: 80}]}]"));
  const [direct] = outbound(from, "log:80", "shop", client).backends;
  const routed = outbound(from, "web:80", "shop", client).backends[1];
  for (const backend of [direct, routed]) expect(backend?.endpoints.map(({ ip }) => ip)).toEqual(expected);
});

test.each([
  ["[{port: 80, targetPort: http, appProtocol: http}]", "", "http1"],
  ["[{port: 80, targetPort: http, appProtocol: kubernetes.io/h2c}]", "", "http2"],
  ["[{port: 80, targetPort: http, appProtocol: tulle.dev/opaque}]", "", "opaque"],
  ["[{port: 80, targetPort: http, appProtocol: postgresql}]", "", "opaque"],
  ["[{port: 80, targetPort: http}]", "", "detect"],
  ["[{port: 80, targetPort: http, appProtocol: http}]", ', annotations: {tulle.dev/opaque-ports: "70-90"}', "opaque"],
])("outbound() reads the protocol of ports %s%s", (ports, metadata, protocol) => {
  expect(
    outbound(world(workload("web", "10.77.0.5") + service("web", "10.96.0.5", ports, metadata)), "web:80").protocol,
  ).toBe(protocol as Protocol); // of the table above
});

test("outbound() splits by weight, and marks references that lead nowhere", () => {
  const refs =
    "[{name: web, port: 80, weight: 90}, {name: v2, port: 80, weight: 10}, {name: v3, port: 80, weight: 0}, {name: v2, port: 81}]";
  const from = world(WEB + V2 + httpRoute("split", `[{backendRefs: ${refs}}]`));
  const { routes, backends } = outbound(from, "web:80");
  expect(backends.map(({ backend }) => backend.name)).toEqual(["web", "v2"]);
  expect(routes.map((route) => route.backends.map(({ backend, weight }) => [backend, weight]))).toEqual([
    [[0, 90], [1, 10], [INVALID_BACKEND, 0], [INVALID_BACKEND, 1]],
  ]);
  expect(from.warnings().map(({ object, detail }) => `${object}: ${detail}`)).toEqual([
    "HTTPRoute shop/split: its backend Service shop/v2 has no TCP port 81: its share is answered with 500",
    "HTTPRoute shop/split: its backend Service shop/v3 does not exist: its share is answered with 500",
  ]);
});

test("outbound() answers 500 where a filter cannot be carried out", () => {
  const rule = "{filters: [{type: ExtensionRef, extensionRef: {}}], backendRefs: [{name: web, port: 80}]}";
  const { routes } = outbound(world(WEB + httpRoute("own", `[${rule}]`)), "web:80");
  expect(routes[0]?.backends).toEqual([{ backend: INVALID_BACKEND, weight: 1, filters: null }]);
});

test("outbound() takes timeouts, retries and header edits of a rule, and the Service's for the rest", () => {
  const rule =
    `{timeouts: {request: 10s, backendRequest: 2s}, retry: {codes: [503], attempts: 2, backoff: 50ms}, filters: [
    {type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: x-a, value: "1"}], remove: [x-b]}}]}`;
  const text = workload("web", "10.77.0.5") +
    service(
      "web",
      "10.96.0.5",
      undefined,
      ", annotations: {timeout.tulle.dev/request: 30s, retry.tulle.dev/http: 5xx, retry.tulle.dev/grpc: 'unavailable, internal'}",
    ) +
    httpRoute("r", `[${rule}]`);
  const { routes: [route], streamRoutes: [rest] } = outbound(world(text), "web:80");
  expect(route).toMatchObject({
    requestTimeoutMs: 10_000,
    backendTimeoutMs: 2000,
    retry: { limit: 2, statusCodes: [503], backoffMs: 50 },
    requestHeaders: { set: [{ name: "x-a", value: "1" }], add: [], remove: ["x-b"] },
  });
  expect(rest).toMatchObject({ requestTimeoutMs: 30_000, retry: { limit: 1 } });
  expect(rest?.retry?.statusCodes.length).toBe(100);
  expect(rest?.retry?.grpcCodes).toEqual([13, 14]);
});

test("outbound() limits a route to the port of its parentRef, and to clients of its own namespace", () => {
  const consumer = `---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: mine, namespace: other}
spec: {parentRefs: [{group: "", kind: Service, name: web, namespace: shop, port: 80}], rules: [{name: only}]}
`;
  const from = world(WEB + consumer + httpRoute("producer", "[{name: all}]"));
  const names = (namespace: string) => outbound(from, "web.shop:80", namespace).routes.map(({ route }) => route.name);
  expect([names("shop"), names("other")]).toEqual([["producer"], ["mine"]]);
});

test("outbound() orders matches as the Gateway API does", () => {
  const match = (name: string, body: string) => `{name: ${name}, matches: [${body}]}`;
  const rules = [
    match("root", "{}"),
    match("header", "{headers: [{name: X, value: a}]}"),
    match("two-headers", "{headers: [{name: X, value: a}, {name: Y, value: b}]}"),
    match("query", "{queryParams: [{name: q, value: a}]}"),
    match("method", "{method: GET}"),
    match("long", "{path: {value: /a/b}}"),
    match("short", "{path: {value: /a}}"),
    match("exact", "{path: {type: Exact, value: /a}}"),
    match("regex", "{path: {type: RegularExpression, value: /a.*}}"),
  ];
  const host = httpRoute("host", "[{name: host}]", { hostnames: "[web.example.org]" });
  const wildcard = httpRoute("wildcard", "[{name: wildcard}]", { hostnames: '["*.example.org"]' });
  const old = httpRoute("zz", "[{name: old}]", { metadata: ', creationTimestamp: "2020-01-01T00:00:00Z"' });
  const { routes } = outbound(world(WEB + httpRoute("r", `[${rules.join(", ")}]`) + host + wildcard + old), "web:80");
  expect(routes.map(({ route }) => route.section)).toEqual([
    "host",
    "wildcard",
    "exact",
    "regex",
    "long",
    "short",
    "method",
    "two-headers",
    "header",
    "query",
    "old",
    "root",
  ]);
});

test("outbound() turns gRPC methods into paths", () => {
  const grpc = `---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: g, namespace: shop}
spec:
  parentRefs: [{kind: Service, name: web}]
  rules:
  - matches:
    - method: {service: shop.v1.Cart, method: Add}
    - method: {service: shop.v1.Cart}
    - method: {method: Add}
`;
  const { routes } = outbound(world(WEB + grpc), "web:80");
  expect(routes.map(({ matches }) => matches[0]?.path)).toEqual([
    { kind: "exact", value: "/shop.v1.Cart/Add" },
    { kind: "prefix", value: "/shop.v1.Cart" },
    { kind: "regex", value: "/[^/]+/Add" },
  ]);
  const isCall = { name: "content-type", match: { kind: "regex", value: "application/grpc.*" } } as const;
  for (const { matches } of routes) {
    expect(matches).toEqual([expect.objectContaining({ method: "POST", headers: [isCall] })]);
  }
});

const EVERYTHING = WEB + V2 + SLICE + httpRoute("a", "[{backendRefs: [{name: v2, port: 80}]}]") +
  httpRoute("b", "[{matches: [{path: {value: /x}}]}]") + `---
apiVersion: policy.tulle.dev/v1alpha1
kind: Server
metadata: {name: s1, namespace: shop}
spec: {externalWorkloadSelector: {}, port: http}
---
apiVersion: policy.tulle.dev/v1alpha1
kind: Server
metadata: {name: s2, namespace: shop}
spec: {externalWorkloadSelector: {}, port: 8080}
---
apiVersion: policy.tulle.dev/v1alpha1
kind: AuthorizationPolicy
metadata: {name: p1, namespace: shop}
spec: {targetRef: {kind: Namespace, name: shop}, requiredAuthenticationRefs: []}
---
apiVersion: policy.tulle.dev/v1alpha1
kind: AuthorizationPolicy
metadata: {name: p2, namespace: shop}
spec: {targetRef: {kind: Server, name: s1}, requiredAuthenticationRefs: [], action: Deny}
`;

test("the order of objects does not change what proxies are told", () => {
  const objects = resources(EVERYTHING);
  const snapshots = (from: ReturnType<typeof world>) => {
    const targets = ["web:80", "v2:80", "db:5432", "10.77.0.5:8080"].map((target) => outbound(from, target));
    return JSON.stringify([from.inbound("shop", "web-0"), targets, from.warnings()]);
  };
  const want = snapshots(world("", "{}", objects));
  fc.assert(
    fc.property(fc.shuffledSubarray([...objects], { minLength: objects.length }), (shuffled) => {
      expect(snapshots(world("", "{}", shuffled))).toBe(want);
    }),
    { numRuns: 100, interruptAfterTimeLimit: 1500 },
  );
});

test("outbound() goes by the rules of a route that can be read, under their own numbers, and says which is dropped", () => {
  const rules = "[{matches: [{path: {type: RegularExpression, value: '/(a'}}]}, " +
    "{matches: [{path: {value: /b}}], backendRefs: [{name: v2, port: 80}]}]";
  const { rest } = decodeResource(parse(httpRoute("split", rules).slice(4)));
  if (rest === null) throw new Error("no rule is left");
  const found = world(WEB + V2, "{}", [...resources(WEB + V2), rest]);
  const { routes, backends } = outbound(found, "web:80");
  expect(routes.map(({ route, matches }) => [route.section, matches[0]?.path?.value])).toEqual([["1", "/b"]]);
  expect(backends.map(({ backend }) => backend.name)).toEqual(["web", "v2"]);
  expect(found.warnings().map(({ object, detail }) => `${object}: ${detail}`)).toEqual([
    expect.stringMatching(
      /^HTTPRoute shop\/split: rule 1 of 2 is dropped until it can be read: spec\.rules\[0\]\.matches/,
    ),
  ]);
});
