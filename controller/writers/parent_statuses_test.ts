import { expect, test } from "bun:test";
import type { KubeObject } from "../api/client.ts";
import { parseFile } from "../kube/parse_file.ts";
import { ResourceStore } from "../kube/store.ts";
import { parentStatuses } from "./_parent_statuses.ts";

const NOW = "2026-11-21T20:00:00Z";
const SERVICES = `
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {clusterIP: 10.96.0.1, ports: [{name: http, port: 80}, {name: udp, port: 53, protocol: UDP}]}
---
apiVersion: v1
kind: Service
metadata: {name: none, namespace: shop}
spec: {clusterIP: None, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: api, namespace: other}
spec: {clusterIP: 10.96.0.2, ports: [{port: 80}]}
---
apiVersion: policy.tulle.dev/v1alpha1
kind: Server
metadata: {name: web, namespace: shop}
spec: {externalWorkloadSelector: {}, port: 80}
`;
const SERVICE = { group: "", kind: "Service", name: "web" };

function store(): ResourceStore {
  const set = new ResourceStore();
  set.replace(parseFile("s.yaml", SERVICES).resources.map(({ resource }) => resource));
  return set;
}

function route(
  parentRefs: readonly unknown[],
  rules: readonly unknown[] = [{}],
  status: unknown = undefined,
): KubeObject {
  return {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "HTTPRoute",
    metadata: { name: "r", namespace: "shop", generation: 3 },
    spec: { parentRefs, rules },
    status,
  };
}

function reasons(object: KubeObject): string[][] {
  return (parentStatuses(object, store(), NOW) ?? []).map(({ conditions }) =>
    (conditions ?? []).map(({ type, status, reason }) => `${type} ${status} ${reason}`)
  );
}

const ref = (more: object) => [{ backendRefs: [{ group: "", kind: "Service", name: "web", port: 80, ...more }] }];
const FINE = ["Accepted True Accepted", "ResolvedRefs True ResolvedRefs"];

test.each<[string, unknown, readonly unknown[], readonly string[]]>([
  ["a Service", SERVICE, [{}], FINE],
  ["a port of it by number", { ...SERVICE, port: 80 }, [{}], FINE],
  ["… by name", { ...SERVICE, sectionName: "http" }, [{}], FINE],
  ["a port that is not there", { ...SERVICE, port: 81 }, [{}], ["Accepted False NoMatchingParent", FINE[1] ?? ""]],
  ["a port that is not TCP", { ...SERVICE, port: 53 }, [{}], ["Accepted False NoMatchingParent", FINE[1] ?? ""]],
  ["no Service", { ...SERVICE, name: "gone" }, [{}], ["Accepted False NoMatchingParent", FINE[1] ?? ""]],
  ["a headless one", { ...SERVICE, name: "none" }, [{}], ["Accepted False NoMatchingParent", FINE[1] ?? ""]],
  ["a Server", { group: "policy.tulle.dev", kind: "Server", name: "web" }, [{}], FINE],
  ["a backend that is there", SERVICE, ref({}), FINE],
  ["a backend that is not", SERVICE, ref({ name: "gone" }), [FINE[0] ?? "", "ResolvedRefs False BackendNotFound"]],
  ["a port it does not have", SERVICE, ref({ port: 81 }), [FINE[0] ?? "", "ResolvedRefs False BackendNotFound"]],
  ["a backend of another kind", SERVICE, ref({ kind: "Pod" }), [FINE[0] ?? "", "ResolvedRefs False InvalidKind"]],
  [
    "a backend of another namespace",
    SERVICE,
    ref({ name: "api", namespace: "other" }),
    [FINE[0] ?? "", "ResolvedRefs False RefNotPermitted"],
  ],
  [
    "a mirror that leads nowhere",
    SERVICE,
    [{ filters: [{ type: "RequestMirror", requestMirror: { backendRef: { name: "gone", port: 80 } } }] }],
    [FINE[0] ?? "", "ResolvedRefs False BackendNotFound"],
  ],
  [
    "a filter that is not carried out",
    SERVICE,
    [{ filters: [{ type: "ExtensionRef", extensionRef: {} }] }],
    ["Accepted False UnsupportedValue", FINE[1] ?? ""],
  ],
  [
    "… in one of two rules",
    SERVICE,
    [{}, { filters: [{ type: "ExtensionRef", extensionRef: {} }] }],
    [...FINE, "PartiallyInvalid True UnsupportedValue"],
  ],
  ["what cannot be read", SERVICE, [{ matches: [{ path: { value: "a" } }] }], ["Accepted False UnsupportedValue"]],
  [
    "… in one of two rules",
    SERVICE,
    [{}, { matches: [{ path: { type: "RegularExpression", value: "/(a" } }] }],
    [...FINE, "PartiallyInvalid True UnsupportedValue"],
  ],
  [
    "… in one of two rules, at a Server",
    { group: "policy.tulle.dev", kind: "Server", name: "web" },
    [{}, { matches: [{ path: { type: "RegularExpression", value: "/(a" } }] }],
    ["Accepted False UnsupportedValue"],
  ],
])("parentStatuses() of a route to %s", (_title, parent, rules, wanted) => {
  expect(reasons(route([parent], rules))).toEqual([[...wanted]]);
});

test("parentStatuses() of a route in part names each rule that is left out, and what is wrong with it", () => {
  const rules = [
    {},
    { name: "old", matches: [{ path: { type: "RegularExpression", value: "/(a" } }] },
    { filters: [{ type: "ExtensionRef", extensionRef: {} }] },
  ];
  const [parent] = parentStatuses(route([SERVICE], rules), store(), NOW) ?? [];
  const { message = "" } = parent?.conditions?.find(({ type }) => type === "PartiallyInvalid") ?? {};
  expect(message.split("; ")).toEqual([
    expect.stringMatching(
      /^Dropped Rule: rule "old" \(2 of 3\), requests go by the others: spec\.rules\[1\]\.matches\[0\]\.path\.value: found/,
    ),
    "rule (3 of 3), requests are answered with 500: the filter ExtensionRef is not supported",
  ]);
});

test("parentStatuses() of a route of which nothing can be read names rule and match of each mistake", () => {
  const rules = [
    { timeouts: { request: "1" } },
    {
      name: "old",
      matches: [{ path: { value: "/a" } }, { path: { type: "RegularExpression", value: "/(a" } }],
    },
    { matches: [{ headers: [{ name: "x", type: "RegularExpression", value: "a(?=b)" }] }], timeouts: { request: "1" } },
  ];
  const [parent] = parentStatuses(route([SERVICE], rules), store(), NOW) ?? [];
  const { message = "", ...accepted } = parent?.conditions?.[0] ?? {};
  expect(accepted).toMatchObject({ type: "Accepted", status: "False", reason: "UnsupportedValue" });
  const [first = "", second = "", ...more] = message.split("; rule ");
  expect(first).toStartWith(
    "no rule of it is taken, and what was in force before stays: rule (1 of 3): spec.rules[0].timeouts.request: found",
  );
  expect(second).toStartWith('"old" (2 of 3), match 2: spec.rules[1].matches[1].path.value: found "/(a"');
  expect(more.map((text) => text.slice(0, text.indexOf(": found")))).toEqual([
    "(3 of 3), match 1: spec.rules[2].matches[0].headers[0].value",
    "(3 of 3): spec.rules[2].timeouts.request",
  ]);
});

test("parentStatuses() leaves the entries of others and Gateways alone, and is content with what it wrote", () => {
  const foreign = { parentRef: { name: "gw" }, controllerName: "example.com/gateway", conditions: [] };
  const refs = [{ group: "gateway.networking.k8s.io", kind: "Gateway", name: "gw" }, SERVICE];
  const parents = parentStatuses(route(refs, [{}], { parents: [foreign] }), store(), NOW);
  expect(parents?.map(({ controllerName }) => controllerName)).toEqual([
    "example.com/gateway",
    "tulle.dev/mesh-controller",
  ]);
  expect(parents?.[1]).toMatchObject({
    parentRef: SERVICE,
    conditions: [{ observedGeneration: 3, lastTransitionTime: NOW }, { observedGeneration: 3 }],
  });
  expect(parentStatuses(route(refs, [{}], { parents }), store(), "2027-01-01T00:00:00Z")).toBeNull();
});

test("parentStatuses() keeps the time of a condition that holds on, and takes back entries of parents that are gone", () => {
  const parents = parentStatuses(route([SERVICE]), store(), NOW);
  const later = parentStatuses(route([SERVICE], ref({ name: "gone" }), { parents }), store(), "2027-01-01T00:00:00Z");
  expect(later?.[0]?.conditions?.map(({ lastTransitionTime }) => lastTransitionTime)).toEqual([
    NOW,
    "2027-01-01T00:00:00Z",
  ]);
  expect(parentStatuses(route([{ name: "gw" }], [{}], { parents }), store(), NOW)).toEqual([]);
});
