/** RateLimitPolicy as clients see it: who is too fast gets 429 and is told when to come again, others are not touched. */
import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import { fetchOnce, header, type HttpApp, reply, serveHttp } from "../support/http1.ts";
import { isDirect, type Mesh, startMesh } from "../support/mesh.ts";
import { sumOf } from "../support/prometheus.ts";
import { allowAccounts, httpRoute, NAMESPACE, type Resource, server, service, workload } from "../support/resources.ts";

setDefaultTimeout(90_000);

const PORT = 8080;
const OPEN = server("web", "web", PORT, { accessPolicy: "all-unauthenticated" });
const METRIC = "inbound_http_local_ratelimit_total";
/** So slow that no bucket fills again while a test looks. */
const RATE = { requestsPerSecond: 1, burst: 5 };
let mesh: Mesh;
let app: HttpApp;

beforeAll(async () => {
  const calls = [`web:${PORT}`];
  mesh = await startMesh({
    workloads: [workload("front", { calls }), workload("batch", { calls }), workload("web")],
    services: [service("web", PORT, "http")],
    resources: [OPEN],
  });
  app = serveHttp(mesh.ip("web"), PORT, async (_request, peer) => await peer.write(reply(200, "ok")));
});

afterEach(() => mesh.apply([OPEN]));

afterAll(async () => {
  app?.[Symbol.dispose]();
  await mesh?.[Symbol.asyncDispose]();
});

function policy(spec: Resource): Resource {
  return {
    apiVersion: "policy.tulle.dev/v1alpha1",
    kind: "RateLimitPolicy",
    metadata: { name: "web", namespace: NAMESPACE },
    spec: { targetRef: { kind: "Server", name: "web" }, ...spec },
  };
}

const ask = (who: string, headers: Record<string, string> = {}) => fetchOnce(mesh.to(who, `web:${PORT}`), "/", headers);

/** Statuses of requests, one after the other. */
async function statuses(count: number, who: string, headers: Record<string, string> = {}): Promise<number[]> {
  const found: number[] = [];
  for (let i = 0; i < count; i++) found.push((await ask(who, headers)).status);
  return found;
}

/** Puts a policy in force: returns once it is this one that refuses. */
async function inForce(spec: Resource, scope: string, headers: Record<string, string> = {}): Promise<void> {
  mesh.apply([OPEN, policy(spec)]);
  await eventually(async () => expect((await ask("front", headers)).body.toString()).toContain(`(${scope})`), 20_000);
}

const refused = async (labels: Record<string, string>) => sumOf(await mesh.sidecar("web").metrics(), METRIC, labels);

test.skipIf(isDirect)(
  "beyond the total a request is refused with the reason, and the app never hears of it",
  async () => {
    await inForce({ total: RATE }, "total");
    const [seen, counted] = [app.requests(), await refused({ ratelimit_scope: "total" })];
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask("front")));
    const late = answers.filter(({ status }) => status === 429);
    expect(late.length).toBeGreaterThanOrEqual(10); // five and one a second may pass
    expect(app.requests() - seen).toBe(20 - late.length);
    for (const answer of late) {
      expect(Number(header(answer, "retry-after"))).toBe(1);
      expect(header(answer, "tulle-error")).toBe("rate_limited");
      expect(answer.body.toString()).toContain("RateLimitPolicy shop/web");
    }
    expect(await refused({ ratelimit_scope: "total", ratelimit_name: "web" })).toBe(counted + late.length);
  },
);

test.skipIf(isDirect)("each identity has its own rate, and an override another one", async () => {
  const overrides = [{ requestsPerSecond: 1, burst: 40, clientRefs: [{ kind: "ServiceAccount", name: "batch" }] }];
  await inForce({ identity: RATE, overrides }, "identity");
  expect(await statuses(20, "batch")).toEqual(Array(20).fill(200)); // front is out of its own
  expect(await refused({ ratelimit_scope: "identity" })).toBeGreaterThan(0);
});

test.skipIf(isDirect)("each value of a header has its own rate", async () => {
  await inForce({ header: { name: "x-tenant", ...RATE } }, "header", { "x-tenant": "loud" });
  expect(await statuses(4, "front", { "x-tenant": "quiet" })).toEqual([200, 200, 200, 200]);
  expect(await statuses(10, "front")).toEqual(Array(10).fill(200));
  expect(await refused({ ratelimit_scope: "header" })).toBeGreaterThan(0);
});

test.skipIf(isDirect)("a gRPC client gets RESOURCE_EXHAUSTED and when to come again", async () => {
  await inForce({ total: RATE }, "total");
  const answer = await eventually(async () => {
    const found = await ask("front", { "content-type": "application/grpc" });
    expect(header(found, "grpc-status")).toBe("8");
    return found;
  });
  expect(answer.status).toBe(200);
  expect(Number(header(answer, "grpc-retry-pushback-ms"))).toBeGreaterThan(0);
});

test.skipIf(isDirect)("the limit of a route holds for all its rules together, and for no other route", async () => {
  const parent = { kind: "Server", name: "web" } as const;
  const under = (value: string): Resource => ({ matches: [{ path: { value } }] });
  const routes = [httpRoute("slow", parent, [under("/a"), under("/b")]), httpRoute("free", parent, [under("/")])];
  const open = ["slow", "free"].flatMap((name) => allowAccounts(name, { kind: "HTTPRoute", name }, ["front"]));
  const spec = { targetRef: { kind: "HTTPRoute", name: "slow" }, total: RATE };
  const to = (path: string) => fetchOnce(mesh.to("front", `web:${PORT}`), path);
  mesh.apply([OPEN, ...routes, ...open, { ...policy(spec), metadata: { name: "slow", namespace: NAMESPACE } }]);
  await eventually(async () => {
    const { status, body } = await to("/a");
    expect([status, body.toString().includes("RateLimitPolicy shop/slow lets in (total)")]).toEqual([429, true]);
  }, 20_000);
  expect((await to("/b")).status).toBe(429);
  expect([(await to("/c")).status, (await to("/")).status]).toEqual([200, 200]);
  expect(await refused({ ratelimit_scope: "total", route_name: "slow" })).toBeGreaterThan(0);
});
