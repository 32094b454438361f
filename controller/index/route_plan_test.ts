import { expect, test } from "bun:test";
import { INVALID_BACKEND } from "../core/snapshot.ts";
import { parseFile } from "../kube/parse_file.ts";
import { formatProblem } from "../kube/problem.ts";
import { httpRoute, outbound, service, workload, world } from "./_testing.ts";

const WEB = workload("web", "10.77.0.5") + service("web", "10.96.0.5");
const V2 = workload("v2", "10.77.0.6") + service("v2", "10.96.0.6");

function planOf(filters: string, rest = "") {
  return outbound(world(WEB + V2 + httpRoute("r", `[{filters: [${filters}]${rest}}]`)), "web:80").routes[0]?.plan;
}

test("outbound() has redirects, rewrites, mirrors and CORS of a rule", () => {
  const redirect =
    "{statusCode: 308, scheme: https, hostname: example.org, port: 8443, path: {type: ReplaceFullPath, replaceFullPath: /x}}";
  expect(planOf(`{type: RequestRedirect, requestRedirect: ${redirect}}`)?.redirect).toEqual({
    status: 308,
    scheme: "https",
    hostname: "example.org",
    port: 8443,
    path: { kind: "full", value: "/x" },
  });
  const rewrite = "{hostname: other.example, path: {type: ReplacePrefixMatch, replacePrefixMatch: ''}}";
  expect(planOf(`{type: URLRewrite, urlRewrite: ${rewrite}}`)?.rewrite).toEqual({
    hostname: "other.example",
    path: { kind: "prefix", value: "" },
  });
  const mirror = (more: string) => `{type: RequestMirror, requestMirror: {backendRef: {name: v2, port: 80}${more}}}`;
  expect(
    planOf(`${mirror("")}, ${mirror(", percent: 20")}, ${mirror(", fraction: {numerator: 1, denominator: 1000}")}`)
      ?.mirrors,
  ).toEqual([
    { backend: 1, numerator: 100, denominator: 100 },
    { backend: 1, numerator: 20, denominator: 100 },
    { backend: 1, numerator: 1, denominator: 1000 },
  ]);
  expect(planOf("{type: CORS, cors: {allowOrigins: ['https://*.example']}}")?.cors).toMatchObject({
    allowOrigins: ["https://*.example"],
    allowCredentials: false,
    maxAgeSeconds: 5,
  });
});

test("outbound() has filters of single backends", () => {
  const edit = "{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: x-a, value: '1'}]}}";
  const refs = `[{name: web, port: 80, filters: [${edit}]}, {name: v2, port: 80}]`;
  const [route] = outbound(world(WEB + V2 + httpRoute("r", `[{backendRefs: ${refs}}]`)), "web:80").routes;
  expect(route?.backends.map(({ filters }) => filters?.requestHeaders?.set ?? null)).toEqual([
    [{ name: "x-a", value: "1" }],
    null,
  ]);
});

test("outbound() leaves a mirror that leads nowhere out, and finds it once it is there", () => {
  const filter = "{type: RequestMirror, requestMirror: {backendRef: {name: v3, port: 80}}}";
  expect(planOf(filter)?.mirrors).toEqual([{ backend: INVALID_BACKEND, numerator: 100, denominator: 100 }]);
});

test.each([
  [
    "RequestRedirect and URLRewrite",
    "filters: [{type: RequestRedirect, requestRedirect: {}}, {type: URLRewrite, urlRewrite: {}}]",
  ],
  [
    "RequestRedirect beside backendRefs",
    "filters: [{type: RequestRedirect, requestRedirect: {}}], backendRefs: [{name: web, port: 80}]",
  ],
  [
    "ReplacePrefixMatch",
    "matches: [{path: {type: Exact, value: /a}}], filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /b}}}]",
  ],
  ["URLRewrite a second time", "filters: [{type: URLRewrite, urlRewrite: {}}, {type: URLRewrite, urlRewrite: {}}]"],
  ["found 304", "filters: [{type: RequestRedirect, requestRedirect: {statusCode: 304}}]"],
  [
    "percent",
    "filters: [{type: RequestMirror, requestMirror: {backendRef: {name: web, port: 80}, percent: 1, fraction: {numerator: 1}}}]",
  ],
  ["absoluteTimeout", "sessionPersistence: {cookieConfig: {lifetimeType: Permanent}}"],
])("a route is refused with the place: %s", (said, rule) => {
  const { errors } = parseFile("r.yaml", httpRoute("r", `[{${rule}}]`));
  expect(errors.map(formatProblem).join("\n")).toContain(said);
});

const GRANT = `---
apiVersion: gateway.networking.k8s.io/v1beta1
kind: ReferenceGrant
metadata: {name: g, namespace: other}
spec:
  from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: shop}]
  to: [{group: "", kind: Service, name: api}]
`;
const API = (service("api", "10.96.0.9") + service("db", "10.96.0.8")).replaceAll(
  "namespace: shop",
  "namespace: other",
);

test("outbound() takes a backend of another namespace only with its grant", () => {
  const route = (name: string) => httpRoute("r", `[{backendRefs: [{name: ${name}, namespace: other, port: 80}]}]`);
  const found = (text: string) => outbound(world(WEB + API + text), "web:80").routes[0]?.backends[0]?.backend;
  expect(found(route("api"))).toBe(INVALID_BACKEND);
  expect(found(route("api") + GRANT)).toBe(1);
  expect(found(route("db") + GRANT)).toBe(INVALID_BACKEND);
  expect(found(route("api") + GRANT.replace("kind: HTTPRoute", "kind: GRPCRoute"))).toBe(INVALID_BACKEND);
  expect(world(WEB + API + route("api")).warnings().map(({ detail }) => detail).join()).toContain("ReferenceGrant");
});

test("outbound() lets a consumer's route refer to the namespace that its client calls, without a grant", () => {
  const route = `---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: mine, namespace: mine}
spec:
  parentRefs: [{group: "", kind: Service, name: web, namespace: shop}]
  rules: [{backendRefs: [{name: v2, namespace: shop, port: 80}, {name: api, namespace: other, port: 80}]}]
`;
  const found = outbound(world(WEB + V2 + API + route), "web.shop:80", "mine").routes[0]?.backends;
  expect(found?.map(({ backend }) => backend)).toEqual([1, INVALID_BACKEND]);
});

test("outbound() reads a parentRef's sectionName as the name of the Service's port", () => {
  const ports = "[{name: http, port: 80, targetPort: http}, {name: alt, port: 81, targetPort: http}]";
  const text = workload("web", "10.77.0.5") + service("web", "10.96.0.5", ports) +
    httpRoute("r", "[{name: only}]").replace("name: web}", "name: web, sectionName: alt}");
  const kind = (port: number) => outbound(world(text), `web:${port}`).routes[0]?.route.kind;
  expect([kind(80), kind(81)]).toEqual(["Service", "HTTPRoute"]);
});

function streamRoute(kind: string, name: string, to: string, more = ""): string {
  return `---
apiVersion: gateway.networking.k8s.io/v1
kind: ${kind}
metadata: {name: ${name}, namespace: shop}
spec: {parentRefs: [{kind: Service, name: web}], rules: [{backendRefs: [{name: ${to}, port: 80}]}]${more}}
`;
}

test("outbound() has TLSRoutes by name before TCPRoutes, and an HTTPRoute for what is HTTP", () => {
  const tcp = streamRoute("TCPRoute", "tcp", "v2");
  const tls = streamRoute("TLSRoute", "tls", "web", ", hostnames: ['*.example', a.example]");
  const names = (text: string) => {
    const { routes, streamRoutes } = outbound(world(WEB + V2 + text), "web:80");
    const of = (list: typeof routes) => list.map(({ route, hostnames }) => [route.name, ...hostnames].join(" "));
    return [of(routes), of(streamRoutes)];
  };
  expect(names("")).toEqual([["web"], []]);
  expect(names(tcp)).toEqual([["tcp"], ["tcp"]]);
  expect(names(tls)).toEqual([["web"], ["tls a.example", "tls *.example"]]);
  expect(names(tls + tcp)).toEqual([["tcp"], ["tls a.example", "tls *.example", "tcp"]]);
  expect(names(httpRoute("http", "[{}]"))).toEqual([["http"], ["web"]]);
  expect(names(httpRoute("http", "[{}]") + tcp)).toEqual([["http"], ["tcp"]]);
});
