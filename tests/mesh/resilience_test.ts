/** BackendPolicy and its annotations, through real sidecars: that each acts is seen by its metric, and by who is asked. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import { fetchOnce, header, Http1Client, reply, type Response, serveHttp } from "../support/http1.ts";
import { isDirect, type Mesh, startMesh } from "../support/mesh.ts";
import { sumOf } from "../support/prometheus.ts";
import { NAMESPACE, type Resource, service, workload, type WorkloadSpec } from "../support/resources.ts";

setDefaultTimeout(90_000);

const PORT = 8080;
const FRONT = workload("front", { calls: [`web:${PORT}`] });

function policy(spec: Resource): Resource {
  return {
    apiVersion: "policy.tulle.dev/v1alpha1",
    kind: "BackendPolicy",
    metadata: { name: "web", namespace: NAMESPACE },
    spec: { targetRef: { kind: "Service", name: "web" }, ...spec },
  };
}

interface Shop extends AsyncDisposable {
  readonly mesh: Mesh;
  /** Requests that each endpoint has seen. */
  readonly seen: Record<string, number>;
  ask(): Promise<Response>;
  /** Asks one after the other, and counts bodies. */
  askMany(count: number): Promise<Record<string, number>>;
  /** A metric of the client's sidecar. */
  metric(name: string, labels?: Record<string, string>): Promise<number>;
}

const EVENTS = "outbound_http_resilience_total";
const TRIPS = "outbound_http_balancer_breaker_open_total";

/** Endpoints "web-a" … behind "web"; `answer` says what each does with its n-th request (from 0). */
async function open(
  names: readonly string[],
  resources: readonly Resource[],
  answer: (name: string, n: number) => Promise<string> | string,
  more: {
    readonly annotations?: Record<string, string>;
    readonly zones?: Record<string, string>;
    readonly withdrawn?: readonly string[];
  } = {},
): Promise<Shop> {
  const stack = new AsyncDisposableStack();
  const zoned = (one: WorkloadSpec): WorkloadSpec => ({ ...one, zone: more.zones?.[one.name] ?? "" });
  const mesh = stack.use(
    await startMesh({
      workloads: [zoned(FRONT), ...names.map((name) => zoned(workload(name, { app: "web" })))],
      services: [service("web", PORT, "http", { annotations: more.annotations ?? {} })],
      resources,
      withdrawn: more.withdrawn ?? [],
    }),
  );
  const seen: Record<string, number> = {};
  for (const name of names) {
    seen[name] = 0;
    stack.use(serveHttp(mesh.ip(name), PORT, async (_request, peer) => {
      const n = seen[name] ?? 0;
      seen[name] = n + 1;
      await peer.write(await answer(name, n));
    }));
  }
  const ask = () => fetchOnce(mesh.to("front", `web:${PORT}`), "/");
  return {
    mesh,
    seen,
    ask,
    async askMany(count) {
      const bodies: Record<string, number> = {};
      for (let i = 0; i < count; i++) {
        const body = (await ask()).body.toString();
        bodies[body] = (bodies[body] ?? 0) + 1;
      }
      return bodies;
    },
    metric: async (name, labels = {}) => sumOf(await mesh.sidecar("front").metrics(), name, labels),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

test.skipIf(isDirect)("a low success rate takes endpoints out, but never more than the policy names", async () => {
  const penalty = { minPenalty: "1h", maxPenalty: "1h" };
  const ejection = { minSuccessPercent: 90, minRequests: 4, window: "1h", maxEjectedPercent: 50, ...penalty };
  const names = ["web-a", "web-b", "web-c", "web-d"];
  // Three of four fail every second request: no failures in a row, and one more than may be out.
  await using shop = await open(
    names,
    [policy({ ejection })],
    (name, n) => reply(name !== "web-a" && n % 2 === 0 ? 500 : 200, name),
  );
  await eventually(async () => {
    await Promise.all(Array.from({ length: 16 }, () => shop.ask())); // under load the failing ones are asked as well
    expect(await shop.metric(TRIPS, { reason: "success_rate" })).toBe(2);
    expect(await shop.metric(EVENTS, { event: "ejection_floor" })).toBeGreaterThan(0);
  }, 30_000);
  expect(await shop.metric("outbound_http_balancer_endpoints", { endpoint_state: "pending" })).toBe(2);
  const before = { ...shop.seen };
  await shop.askMany(30);
  const busy = names.filter((name) => (shop.seen[name] ?? 0) > (before[name] ?? 0));
  expect(busy.length).toBeLessThanOrEqual(2);
  expect(busy).toContain("web-a");
});

test.skipIf(isDirect)("an endpoint whose answers are slow is taken out, by annotations", async () => {
  const key = "balancer.tulle.dev/failure-accrual";
  const annotations = {
    [`${key}-slow-after`]: "60ms",
    [`${key}-min-requests`]: "2",
    [`${key}-window`]: "1h",
    [`${key}-max-ejected-percent`]: "50",
    [`${key}-consecutive-min-penalty`]: "1h",
    [key]: "consecutive",
  };
  await using shop = await open(["web-a", "web-b"], [], async (name) => {
    if (name === "web-b") await Bun.sleep(120);
    return reply(200, name);
  }, { annotations });
  await eventually(async () => {
    await Promise.all(Array.from({ length: 8 }, () => shop.ask())); // under load the slow one is asked as well
    expect(await shop.metric(TRIPS, { reason: "latency" })).toBeGreaterThanOrEqual(1);
  }, 30_000);
});

test.skipIf(isDirect)("a new endpoint starts slowly", async () => {
  const names = ["web-a", "web-b", "web-new"];
  await using shop = await open(names, [policy({ slowStart: "1h" })], (name) => reply(200, name), {
    withdrawn: ["web-new"],
  });
  await shop.askMany(10);
  expect(shop.seen["web-new"]).toBe(0);
  await shop.mesh.sidecar("web-new").start();
  shop.mesh.withdraw([]);
  await eventually(async () => {
    await shop.askMany(20);
    expect(shop.seen["web-new"]).toBeGreaterThan(0);
    expect(await shop.metric(EVENTS, { event: "slow_start" })).toBeGreaterThan(0);
  }, 30_000);
  const found = await shop.askMany(300);
  expect(found["web-new"] ?? 0).toBeLessThan(75); // a tenth of a third; evenly it were 100
});

test.skipIf(isDirect)(
  "beyond the concurrency limit a request is refused at once, and none waits for another",
  async () => {
    const gate = Promise.withResolvers<void>();
    await using shop = await open(["web-a"], [policy({ concurrency: { limit: 2 } })], async (name) => {
      await gate.promise;
      return reply(200, name);
    });
    const held = [shop.ask(), shop.ask()];
    await eventually(() => expect(shop.seen["web-a"]).toBe(2));
    const refused = await shop.ask();
    expect(refused.status).toBe(503);
    expect(header(refused, "tulle-error")).toBe("concurrency_limited");
    expect(await shop.metric(EVENTS, { event: "concurrency_limited" })).toBe(1);
    expect(await shop.metric("outbound_http_balancer_concurrency_limit")).toBe(2);
    gate.resolve();
    expect((await Promise.all(held)).map(({ status }) => status)).toEqual([200, 200]);
    expect((await shop.ask()).status).toBe(200);
  },
);

test.skipIf(isDirect)("an adaptive limit grows while answers are quick, and shrinks when they fail", async () => {
  let fails = false;
  const annotations = { "balancer.tulle.dev/concurrency-limit": "adaptive" };
  await using shop = await open(["web-a"], [], async (name) => {
    await Bun.sleep(20);
    return reply(fails ? 500 : 200, name);
  }, { annotations });
  const limit = () => shop.metric("outbound_http_balancer_concurrency_limit");
  await shop.ask();
  expect(await limit()).toBe(20);
  const burst = (count: number) => Promise.all(Array.from({ length: count }, () => shop.ask()));
  fails = true;
  await eventually(async () => {
    await burst(4);
    expect(await limit()).toBeLessThan(10);
  }, 30_000);
  const low = await limit();
  fails = false;
  await eventually(async () => {
    await burst(Math.floor(await limit()));
    expect(await limit()).toBeGreaterThan(low);
  }, 30_000);
});

test.skipIf(isDirect)("requests stay in their zone, spill over under load, and fail over when it is gone", async () => {
  const zones = { front: "eu-1", "web-a": "eu-1", "web-b": "eu-2" };
  const gate = Promise.withResolvers<void>();
  let holds = false;
  await using shop = await open(["web-a", "web-b"], [policy({ zone: { spillOver: 2 } })], async (name) => {
    if (holds && name === "web-a") await gate.promise;
    return reply(200, name);
  }, { zones });
  expect(await shop.askMany(20)).toEqual({ "web-a": 20 });
  expect(await shop.metric(EVENTS, { event: "zone_local" })).toBe(20);
  holds = true;
  const held = [shop.ask(), shop.ask()];
  await eventually(() => expect(shop.seen["web-a"]).toBe(22));
  expect((await shop.ask()).body.toString()).toBe("web-b");
  expect(await shop.metric(EVENTS, { event: "zone_spill" })).toBe(1);
  gate.resolve();
  await Promise.all(held);
  expect(await shop.askMany(5)).toEqual({ "web-a": 5 });
});

test.skipIf(isDirect)("a retry budget of nothing allows no retry, the usual one does", async () => {
  const annotations = { "retry.tulle.dev/http": "500", "retry.tulle.dev/budget": "0%,0/s" };
  await using shop = await open(["web-a", "web-b"], [], (name, n) => reply(n % 2 === 0 ? 500 : 200, name), {
    annotations,
  });
  const statuses = [await shop.ask(), await shop.ask(), await shop.ask(), await shop.ask()].map(({ status }) => status);
  expect(statuses).toContain(500);
  expect(await shop.metric("outbound_http_route_retry_overflow_total")).toBeGreaterThan(0);
  expect(await shop.metric("outbound_http_route_retry_requests_total")).toBe(0);
  shop.mesh.apply([policy({ retryBudget: { percent: 100, minPerSecond: 100 } })]);
  await eventually(async () => {
    await shop.askMany(2);
    expect(await shop.metric("outbound_http_route_retry_requests_total")).toBeGreaterThan(0);
  }, 30_000);
});

/** Two endpoints of which the one that is asked first never answers its first request; `cancelled` once that is given up. */
async function openStuck(resources: readonly Resource[]) {
  const stack = new AsyncDisposableStack();
  const names = ["web-a", "web-b"];
  const mesh = stack.use(
    await startMesh({
      workloads: [FRONT, ...names.map((name) => workload(name, { app: "web" }))],
      services: [service("web", PORT, "http")],
      resources,
    }),
  );
  const cancelled = Promise.withResolvers<string>();
  const asked: string[] = [];
  for (const name of names) {
    stack.use(serveHttp(mesh.ip(name), PORT, async (request, peer) => {
      asked.push(name);
      if (asked.length > 1) return await peer.write(reply(200, `${name}${request.body.toString()}`));
      await peer.readAll(40_000).catch(() => {}); // until it is closed or reset
      cancelled.resolve(name);
    }));
  }
  const metric = async (event: string) => sumOf(await mesh.sidecar("front").metrics(), EVENTS, { event });
  return { mesh, asked, cancelled: cancelled.promise, metric, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

test.skipIf(isDirect)("a slow request is hedged: the first answer wins, and the loser is cancelled", async () => {
  await using shop = await openStuck([policy({ hedging: { delay: "40ms" } })]);
  const answer = await fetchOnce(shop.mesh.to("front", `web:${PORT}`), "/");
  expect([answer.status, answer.body.toString()]).toEqual([200, shop.asked[1] ?? ""]);
  expect(shop.asked[1]).not.toBe(shop.asked[0] ?? "");
  expect(await shop.cancelled).toBe(shop.asked[0] ?? "");
  expect([await shop.metric("hedge_sent"), await shop.metric("hedge_won")]).toEqual([1, 1]);
});

test.skipIf(isDirect)("without budget nothing is hedged", async () => {
  const retryBudget = { percent: 0, minPerSecond: 0 };
  await using shop = await openStuck([policy({ hedging: { delay: "40ms" }, retryBudget })]);
  using client = await Http1Client.connect(shop.mesh.to("front", `web:${PORT}`));
  await client.peer.write("GET / HTTP/1.1\r\nhost: web\r\n\r\n");
  await eventually(async () => expect(await shop.metric("hedge_overflow")).toBe(1));
  await eventually(() => expect(shop.asked.length).toBe(1));
});

test.skipIf(isDirect)("a request that is declared safe is hedged with its body, another is not", async () => {
  await using shop = await openStuck([policy({ hedging: { delay: "40ms", methods: ["PUT"] } })]);
  const send = async (method: string) => {
    const client = await Http1Client.connect(shop.mesh.to("front", `web:${PORT}`));
    await client.peer.write(`${method} / HTTP/1.1\r\nhost: web\r\ncontent-length: 6\r\n\r\n hello`);
    return client;
  };
  using put = await send("PUT");
  expect((await put.readResponse()).body.toString()).toBe(`${shop.asked[1]} hello`);
  shop.asked.length = 0; // who is asked next is stuck as well
  using _post = await send("POST");
  await eventually(() => expect(shop.asked.length).toBe(1));
  shop.asked.length = 0; // … and once more: its hedge comes after the one that the POST would have had
  using again = await send("PUT");
  expect((await again.readResponse()).status).toBe(200);
  expect([await shop.metric("hedge_sent"), await shop.metric("hedge_won")]).toEqual([2, 2]);
});
