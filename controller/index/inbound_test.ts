import { expect, test } from "bun:test";
import { parse } from "yaml";
import { decodeResource } from "../kube/decode.ts";
import { httpRoute, resources, service, workload, world } from "./_testing.ts";

const WEB = workload("web", "10.77.0.5");

function policy(kind: string, name: string, spec: string): string {
  return `---
apiVersion: policy.tulle.dev/v1alpha1
kind: ${kind}
metadata: {name: ${name}, namespace: shop}
spec: ${spec}
`;
}

const SERVER = policy(
  "Server",
  "web",
  "{externalWorkloadSelector: {matchLabels: {app: web}}, port: http, proxyProtocol: HTTP/1}",
);
const FRONT = policy(
  "MeshTLSAuthentication",
  "front",
  "{identityRefs: [{kind: ServiceAccount, name: front}, {kind: Namespace, name: ops}]}",
);

function allow(name: string, target: string, refs: string, more = ""): string {
  return policy("AuthorizationPolicy", name, `{targetRef: {${target}}, requiredAuthenticationRefs: ${refs}${more}}`);
}

const MESH = "[{kind: MeshTLSAuthentication, name: front}]";

function port(text: string) {
  return world(text).inbound("shop", "web-0")?.ports[0];
}

function warnings(text: string): string[] {
  return world(text).warnings().map(({ object, detail }) => `${object}: ${detail}`);
}

test("inbound() knows no workload that is not there", () => {
  expect(world(WEB).inbound("shop", "web-1")).toBe(null);
});

test.each([
  ["", "all-unauthenticated"],
  [", annotations: {tulle.dev/default-inbound-policy: deny}", "deny"],
  [", annotations: {tulle.dev/default-inbound-policy: dney}", "deny"],
])("inbound() takes the default policy of the annotation%s", (metadata, want) => {
  const found = world(workload("web", "10.77.0.5", undefined, metadata)).inbound("shop", "web-0");
  expect([found?.defaultPolicy, found?.ports[0]?.defaultPolicy].join(" ")).toBe(`${want} ${want}`);
});

test("inbound() takes the default policy of the namespace where the workload says nothing", () => {
  const namespace =
    "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: shop, annotations: {tulle.dev/default-inbound-policy: cluster-authenticated}}\n";
  expect(world(WEB + namespace).inbound("shop", "web-0")?.defaultPolicy).toBe("cluster-authenticated");
});

test("inbound() denies on a port with a Server unless a policy admits", () => {
  const found = port(WEB + SERVER + FRONT + allow("p", "kind: Server, name: web", MESH));
  expect(found).toMatchObject({ port: 8080, protocol: "http1", server: { name: "web" }, defaultPolicy: "deny" });
  expect(found?.authorizations).toMatchObject([{
    policy: { kind: "AuthorizationPolicy", name: "p" },
    action: "allow",
    mode: "enforce",
    authentications: [{
      kind: "mesh_tls",
      identities: ["spiffe://cluster.local/ns/shop/sa/front", "spiffe://cluster.local/ns/ops/sa/*"],
    }],
  }]);
});

test("inbound() takes action and mode of a policy, and networks", () => {
  const networks = policy("NetworkAuthentication", "lan", "{networks: [{cidr: 10.0.0.0/8, except: [10.9.0.0/16]}]}");
  const refs = "[{kind: NetworkAuthentication, name: lan}]";
  const found = port(
    WEB + SERVER + networks + allow("p", "kind: Namespace, name: shop", refs, ", action: Deny, mode: audit"),
  );
  expect(found?.authorizations).toMatchObject([{
    action: "deny",
    mode: "audit",
    authentications: [{ kind: "networks", networks: [{ cidr: "10.0.0.0/8", except: ["10.9.0.0/16"] }] }],
  }]);
});

test("inbound() applies a denial of the namespace to declared ports without a Server, but no admission", () => {
  const text = WEB + allow("d", "kind: Namespace, name: shop", "[]", ", action: Deny") +
    allow("a", "kind: Namespace, name: shop", "[]");
  expect(port(text)?.authorizations.map(({ policy }) => policy.name)).toEqual(["d"]);
});

test("inbound() applies a denial of the namespace to ports that nobody declares", () => {
  const text = WEB + allow("d", "kind: Namespace, name: shop", "[]", ", action: Deny") +
    allow("a", "kind: Namespace, name: shop", "[]");
  expect(world(text).inbound("shop", "web-0")?.denials?.map(({ policy }) => policy.name)).toEqual(["d"]);
});

test.each([
  ["an admission admit nobody", "", 0, "it admits nobody"],
  ["a denial deny everybody", ", action: Deny", 1, "it denies whatever that might have narrowed"],
])("inbound() makes %s when its authentication does not exist", (_name, more, count, text) => {
  const all = WEB + SERVER + allow("p", "kind: Server, name: web", MESH, more);
  const authorizations = port(all)?.authorizations ?? [];
  expect(authorizations.length).toBe(count);
  expect(authorizations.flatMap(({ authentications }) => authentications)).toEqual([]);
  expect(warnings(all)).toEqual([
    `AuthorizationPolicy shop/p: its MeshTLSAuthentication shop/front does not exist: ${text}`,
  ]);
});

test("inbound() gives routes of a Server their own policies", () => {
  const route = httpRoute("api", "[{matches: [{path: {value: /api}}]}, {}]", {
    parent: "group: policy.tulle.dev, kind: Server, name: web",
  });
  const found = port(WEB + SERVER + FRONT + route + allow("p", "kind: HTTPRoute, name: api", MESH));
  expect(found?.authorizations).toEqual([]);
  expect(
    found?.routes.map(({ route, matches, authorizations }) => [route.name, matches[0]?.path, authorizations.length]),
  ).toEqual([
    ["api", { kind: "prefix", value: "/api" }, 1],
    ["api", null, 1],
  ]);
});

test("inbound() matches gRPC calls by POST alone", () => {
  const route = `---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: get, namespace: shop}
spec:
  parentRefs: [{group: policy.tulle.dev, kind: Server, name: web}]
  rules: [{matches: [{method: {service: shop.v1.Catalogue, method: Get}}]}]
`;
  expect(port(WEB + SERVER + route)?.routes.map(({ matches }) => matches[0])).toMatchObject([
    { path: { kind: "exact", value: "/shop.v1.Catalogue/Get" }, method: "POST" },
  ]);
});

test("inbound() lets the first Server by name have a port that two select, and says so", () => {
  const other = policy("Server", "a", "{podSelector: {}, port: 8080, accessPolicy: audit}");
  expect(port(WEB + SERVER + other)?.server?.name).toBe("a");
  expect(warnings(WEB + SERVER + other)[0]).toContain(
    "Server shop/web: port 8080 of ExternalWorkload shop/web is selected by Server shop/a",
  );
});

test.each([
  ["kind: Server, name: none", "its target Server shop/none does not exist"],
  ["kind: Server, name: web, namespace: other", "its target Server other/web is not in its own namespace shop"],
  ["kind: Namespace, name: other", "its target Namespace other is not in its own namespace shop"],
])("inbound() warns of a policy for {%s}", (target, text) => {
  expect(warnings(WEB + SERVER + allow("p", target, "[]"))[0]).toContain(text);
});

test("inbound() warns of a policy for a route that no Server has: clients carry it out, and judge nobody", () => {
  const text = WEB + service("web", "10.96.0.1") + httpRoute("web", "[{}]") +
    allow("d", "group: gateway.networking.k8s.io, kind: HTTPRoute, name: web", "[]", ", action: Deny");
  expect(warnings(text).join()).toContain("AuthorizationPolicy shop/d: its target HTTPRoute shop/web has no Server");
});

test("inbound() closes a Server whose route cannot be read: denials alone are left of what policies say", () => {
  const admin = httpRoute("admin", "[{matches: [{path: {type: RegularExpression, value: '/(admin'}}]}]", {
    parent: "kind: Server, name: web",
  });
  const rest = httpRoute("all", "[{}]", { parent: "kind: Server, name: web" });
  const policies = allow("front", "kind: HTTPRoute, name: all", MESH) + allow("wide", "kind: Server, name: web", MESH) +
    allow("no-admin", "kind: HTTPRoute, name: admin", "[]", ", action: Deny") +
    allow("nobody", "kind: Server, name: web", MESH, ", action: Deny");
  const text = WEB + SERVER + FRONT + rest + policies;
  const broken = decodeResource(parse(admin.slice(4))).rest;
  if (broken === null) throw new Error("nothing is known of the route");
  const found = world(text, "{}", [...resources(text), broken]);
  const port = found.inbound("shop", "web-0")?.ports[0];
  expect(port).toMatchObject({
    authorizations: [{ action: "deny", policy: { name: "nobody" } }],
    routes: [{ route: { kind: "HTTPRoute", name: "admin" }, hostnames: [], matches: [], authorizations: [] }],
    defaultPolicy: "deny",
  });
  expect(port?.routes.length).toBe(1);
  expect(found.warnings().map(({ object, detail }) => `${object}: ${detail}`)).toContainEqual(
    expect.stringContaining(
      "HTTPRoute shop/admin: it cannot be read, so it does not hold: Server shop/web refuses all",
    ),
  );
  const mended = world(text + admin.replace("/(admin", "/admin.*")).inbound("shop", "web-0")?.ports[0];
  expect(mended?.routes.map(({ route, authorizations }) => [route.name, authorizations[0]?.policy.name])).toEqual([
    ["admin", "no-admin"],
    ["all", "front"],
  ]);
});

test("inbound() warns of identities of another trust domain: sidecars take none of its certificates", () => {
  const of = (id: string) => policy("MeshTLSAuthentication", "front", `{identities: ["${id}"]}`);
  const warned = (id: string) => warnings(WEB + SERVER + of(id) + allow("p", "kind: Server, name: web", MESH));
  expect(warned("*")).toEqual([]);
  expect(warned("spiffe://cluster.local/ns/*")).toEqual([]);
  expect(warned("spiffe://cluster.local.example/ns/a/sa/b")).toEqual([
    "MeshTLSAuthentication shop/front: its identity spiffe://cluster.local.example/ns/a/sa/b is not of the trust domain " +
    "cluster.local: whoever has it is refused before any policy is asked",
  ]);
});
