/** HTTPRoutes as a client sees them: matching, splits, edits, redirects, mirrors, CORS, timeouts, through real sidecars. */
import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import { fetchOnce, header, Http1Client, type HttpApp, reply, type Request, serveHttp } from "../support/http1.ts";
import { isDirect, type Mesh, startMesh } from "../support/mesh.ts";
import { sumOf } from "../support/prometheus.ts";
import { httpRoute, type Resource, service, split, workload } from "../support/resources.ts";

setDefaultTimeout(90_000);

const PORT = 8080;
const SERVICE = { kind: "Service", name: "web" } as const;
let mesh: Mesh;
/** What each application was asked. */
const asked: Record<string, Request[]> = { web: [], v2: [] };
const apps: HttpApp[] = [];

beforeAll(async () => {
  mesh = await startMesh({
    workloads: [workload("front", { calls: [`web:${PORT}`] }), workload("web"), workload("v2")],
    services: [service("web", PORT, "http"), service("v2", PORT, "http")],
  });
  for (const name of ["web", "v2"]) {
    apps.push(serveHttp(mesh.ip(name), PORT, async (request, peer) => {
      asked[name]?.push(request);
      if (request.path.startsWith("/slow")) await new Promise(() => {});
      const said = { app: name, path: request.path, host: header(request, "host"), added: header(request, "x-added") };
      await peer.write(reply(request.path.startsWith("/503") ? 503 : 200, JSON.stringify(said), { "x-app": name }));
    }));
  }
});

afterEach(() => {
  for (const list of Object.values(asked)) list.length = 0;
});

afterAll(async () => {
  for (const app of apps) app[Symbol.dispose]();
  await mesh?.[Symbol.asyncDispose]();
});

function ask(path: string, headers: Record<string, string> = {}, method = "GET") {
  return fetchOnce(mesh.to("front", `web:${PORT}`), path, headers, method);
}

async function post(path: string, body: string) {
  using client = await Http1Client.connect(mesh.to("front", `web:${PORT}`));
  await client.peer.write(`POST ${path} HTTP/1.1\r\nhost: web\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
  return await client.readResponse();
}

async function told(path: string, headers: Record<string, string> = {}) {
  const { status, body } = await ask(path, headers);
  return {
    status,
    ...JSON.parse(body.toString()) as { app: string; path: string; host: string; added: string | null },
  };
}

/** Puts a route in force: `marker` is a path that only its rules answer, with a redirect. */
async function apply(rules: readonly Resource[], more: readonly Resource[] = []): Promise<void> {
  const marker = `/in-force-${Math.random().toString(36).slice(2)}`;
  const rule = {
    matches: [{ path: { type: "Exact", value: marker } }],
    filters: [{ type: "RequestRedirect", requestRedirect: { statusCode: 308 } }],
  };
  mesh.apply([httpRoute("r", SERVICE, [...rules, rule]), ...more]);
  await eventually(async () => expect((await ask(marker)).status).toBe(308));
}

const prefix = (value: string) => [{ path: { type: "PathPrefix", value } }];
const to = (name: string, more: Resource = {}) => [{ name, port: PORT, ...more }];

test.skipIf(isDirect)("requests go by path, header, query and method; what no rule matches is 404", async () => {
  await apply([
    { matches: prefix("/v2"), backendRefs: to("v2") },
    { matches: [{ headers: [{ name: "X-Version", value: "two" }] }], backendRefs: to("v2") },
    { matches: [{ queryParams: [{ name: "v", value: "2" }] }], backendRefs: to("v2") },
    { matches: [{ method: "PUT" }], backendRefs: to("v2") },
    { matches: prefix("/web"), backendRefs: to("web") },
  ]);
  expect(await told("/v2/a")).toMatchObject({ status: 200, app: "v2" });
  expect(await told("/other", { "x-version": "two" })).toMatchObject({ app: "v2" });
  expect(await told("/other?a=1&v=2")).toMatchObject({ app: "v2" });
  expect((await ask("/other", {}, "PUT")).status).toBe(200);
  expect(await told("/web", { "x-version": "two" })).toMatchObject({ app: "web" }); // the path comes before the header
  const refused = await ask("/other");
  expect([refused.status, header(refused, "tulle-error")]).toEqual([404, "no_route"]);
});

test.skipIf(isDirect)("a backend that does not exist answers its share with 500, and weights hold", async () => {
  await apply([{ matches: prefix("/gone"), backendRefs: to("gone") }, {
    matches: prefix("/split"),
    ...split({ web: 1, v2: 3 }, PORT),
  }]);
  const gone = await ask("/gone");
  expect([gone.status, header(gone, "tulle-error")]).toEqual([500, "invalid_backend"]);
  expect(header(gone, "tulle-error-detail")).toContain("its reference leads nowhere, no backend has a weight");
  for (let i = 0; i < 200; i++) await ask("/split");
  expect(asked["v2"]?.length).toBeWithin(120, 181); // 150 ± 5 standard deviations
});

test.skipIf(isDirect)("paths and hosts are rewritten, headers edited, for all and for single backends", async () => {
  const path = (type: string, key: string, value: string) => ({ path: { type, [key]: value } });
  const rewrite = (urlRewrite: Resource) => [{ type: "URLRewrite", urlRewrite }];
  const add = [{ type: "RequestHeaderModifier", requestHeaderModifier: { set: [{ name: "X-Added", value: "own" }] } }];
  const drop = [{ type: "ResponseHeaderModifier", responseHeaderModifier: { remove: ["x-app"] } }];
  await apply([
    { matches: prefix("/old"), filters: rewrite(path("ReplacePrefixMatch", "replacePrefixMatch", "/new")) },
    { matches: prefix("/full"), filters: rewrite(path("ReplaceFullPath", "replaceFullPath", "/all")) },
    { matches: prefix("/host"), filters: rewrite({ hostname: "other.example" }) },
    { matches: prefix("/own"), backendRefs: to("v2", { filters: [...add, ...drop] }) },
  ]);
  expect(await told("/old/a?b=c")).toMatchObject({ app: "web", path: "/new/a?b=c" });
  expect(await told("/full/a?b=c")).toMatchObject({ path: "/all?b=c" });
  expect(await told("/host")).toMatchObject({ host: "other.example", path: "/host" });
  const own = await ask("/own");
  expect(JSON.parse(own.body.toString())).toMatchObject({ app: "v2", added: "own" });
  expect(header(own, "x-app")).toBeNull();
});

test.skipIf(isDirect)("redirects are answered by the client's sidecar, without asking a backend", async () => {
  const redirect = (requestRedirect: Resource) => [{ type: "RequestRedirect", requestRedirect }];
  await apply([
    { matches: prefix("/a"), filters: redirect({ hostname: "example.org", scheme: "https" }) },
    { matches: prefix("/b"), filters: redirect({ statusCode: 301, port: 8443 }) },
    {
      matches: prefix("/c"),
      filters: [
        ...redirect({ hostname: "example.org" }),
        { type: "ResponseHeaderModifier", responseHeaderModifier: { set: [{ name: "x-set", value: "1" }] } },
        { type: "CORS", cors: { allowOrigins: ["https://shop.example"] } },
      ],
    },
  ]);
  const a = await post("/a/b?c=d", "a body");
  expect([a.status, header(a, "location")]).toEqual([302, "https://example.org/a/b?c=d"]);
  const b = await ask("/b", { host: "web:8080" });
  expect([b.status, header(b, "location")]).toEqual([301, "http://web:8443/b"]);
  const c = await ask("/c", { origin: "https://shop.example" });
  expect([c.status, header(c, "x-set"), header(c, "access-control-allow-origin")]).toEqual([
    302,
    "1",
    "https://shop.example",
  ]);
  expect(asked["web"]).toEqual([]);
});

test.skipIf(isDirect)("copies of requests go to another backend, body and all; its answers nobody sees", async () => {
  const mirror = (name: string) => ({ type: "RequestMirror", requestMirror: { backendRef: { name, port: PORT } } });
  await apply([
    { matches: prefix("/m"), filters: [mirror("v2"), mirror("gone")], backendRefs: to("web") },
  ]);
  const body = "x".repeat(10_000);
  const answer = await post("/m", body);
  expect([answer.status, header(answer, "x-app")]).toEqual([200, "web"]);
  await eventually(() => expect(asked["v2"]?.map(({ path, body }) => [path, body.length])).toEqual([["/m", 10_000]]));
  expect((await ask("/m")).status).toBe(200);
  await eventually(() => expect(asked["v2"]?.length).toBe(2));
  await eventually(async () => {
    const metrics = await mesh.sidecar("front").metrics();
    expect(sumOf(metrics, "outbound_http_route_mirror_total", { result: "answered" })).toBe(2);
  });
});

test.skipIf(isDirect)(
  "preflight requests are answered for the rule's origins, and responses marked for them",
  async () => {
    const cors = { allowOrigins: ["https://*.example"], allowMethods: ["PUT"], allowCredentials: true };
    await apply([{ matches: prefix("/c"), filters: [{ type: "CORS", cors }] }]);
    const origin = { origin: "https://shop.example" };
    const preflight = await ask("/c", { ...origin, "access-control-request-method": "PUT" }, "OPTIONS");
    expect([preflight.status, header(preflight, "access-control-allow-methods")]).toEqual([204, "PUT"]);
    expect(asked["web"]).toEqual([]);
    expect(header(await ask("/c", origin), "access-control-allow-origin")).toBe("https://shop.example");
    const evil = await ask("/c", { origin: "https://evil.test" });
    expect([header(evil, "access-control-allow-origin"), header(evil, "vary")]).toEqual([null, "Origin"]);
  },
);

test.skipIf(isDirect)("a rule's timeouts and retries hold", async () => {
  await apply([
    { matches: prefix("/slow"), timeouts: { request: "300ms" } },
    { matches: prefix("/503"), retry: { codes: [503], attempts: 2, backoff: "10ms" } },
  ]);
  const late = await ask("/slow");
  expect([late.status, header(late, "tulle-error")]).toEqual([504, "timeout"]);
  asked["web"]?.splice(0);
  expect((await ask("/503")).status).toBe(503);
  expect(asked["web"]?.length).toBe(3);
});

test.skipIf(isDirect)("a session stays with its endpoint, by cookie and by header", async () => {
  const both = split({ web: 1, v2: 1 }, PORT);
  await apply([
    { matches: prefix("/cookie"), ...both, sessionPersistence: { sessionName: "sid" } },
    { matches: prefix("/header"), ...both, sessionPersistence: { sessionName: "X-Sid", type: "Header" } },
  ]);
  const first = await ask("/cookie/a");
  const [pair = "", ...attributes] = (header(first, "set-cookie") ?? "").split("; ");
  expect([pair.slice(0, 4), ...attributes]).toEqual(["sid=", "Path=/cookie", "HttpOnly", "SameSite=Lax"]);
  const token = header(await ask("/header"), "x-sid") ?? "";
  const byHeader = header(await ask("/header", { "x-sid": token }), "x-app");
  for (let i = 0; i < 20; i++) {
    const again = await ask("/cookie/b", { cookie: `a=b; ${pair}` });
    expect([header(again, "x-app"), header(again, "set-cookie")]).toEqual([header(first, "x-app"), null]);
    expect(header(await ask("/header", { "x-sid": token }), "x-app")).toBe(byHeader);
  }
  expect(header(await ask("/cookie", { cookie: "sid=gone.1" }), "set-cookie")).toStartWith("sid=");
});

test.skipIf(isDirect)("another namespace's Service is a backend only with its ReferenceGrant", async () => {
  const rules = [{ matches: prefix("/far"), backendRefs: to("far", { namespace: "other" }) }];
  const far: Resource = {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "far", namespace: "other" },
    spec: { clusterIP: "10.96.8.1", ports: [{ port: PORT, appProtocol: "http" }] },
  };
  const slice: Resource = {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: "far", namespace: "other", labels: { "kubernetes.io/service-name": "far" } },
    addressType: "IPv4",
    endpoints: [{ addresses: [mesh.ip("v2")] }],
    ports: [{ name: "", port: PORT }],
  };
  const grant: Resource = {
    apiVersion: "gateway.networking.k8s.io/v1beta1",
    kind: "ReferenceGrant",
    metadata: { name: "g", namespace: "other" },
    spec: {
      from: [{ group: "gateway.networking.k8s.io", kind: "HTTPRoute", namespace: "shop" }],
      to: [{ group: "", kind: "Service" }],
    },
  };
  await apply(rules, [far, slice]);
  expect((await ask("/far")).status).toBe(500);
  await apply(rules, [far, slice, grant]);
  expect(await told("/far")).toMatchObject({ status: 200, app: "v2" });
});
