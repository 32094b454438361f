/** Retries, timeouts, deadlines, breakers and queues, each seen by its metric and by what came before what. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import { fetchOnce, header, Http1Client, reply, type Request, serveHttp } from "../support/http1.ts";
import { isDirect, startMesh } from "../support/mesh.ts";
import { httpRoute, type Resource, service, workload } from "../support/resources.ts";
import type { TcpPeer } from "../support/tcp.ts";
import { Http2Session, serveHttp2 } from "./_http2.ts";
import { sumOf } from "./_shop.ts";

setDefaultTimeout(60_000);

const PORT = 8080;
const NAMES = ["web-a", "web-b"] as const;

/** An attempt as the application saw it. */
interface Attempt {
  readonly by: string;
  readonly path: string;
  readonly atMs: number;
}

type Answer = (request: Request, peer: TcpPeer, by: string) => Promise<void> | void;

/** Two replicas whose answers the test decides, behind a service with these annotations and rules. */
async function rig(annotations: Record<string, string>, rules: readonly Resource[], answer: Answer) {
  const mesh = await startMesh({
    workloads: [workload("front", { calls: [`web:${PORT}`] }), ...NAMES.map((name) => workload(name, { app: "web" }))],
    services: [service("web", PORT, "http", { annotations })],
    resources: rules.length === 0 ? [] : [httpRoute("rule", { kind: "Service", name: "web", port: PORT }, rules)],
  });
  const attempts: Attempt[] = [];
  const warm = new Set<string>();
  const apps = NAMES.map((name) =>
    serveHttp(mesh.ip(name), PORT, async (request, peer) => {
      if (request.path === "/warm") {
        warm.add(name);
        return await peer.write(reply(200, name));
      }
      attempts.push({ by: name, path: request.path, atMs: performance.now() });
      await answer(request, peer, name);
    })
  );
  // Connections to both stand: what is timed is not their making.
  const target = mesh.to("front", `web:${PORT}`);
  if (!isDirect) { while (warm.size < NAMES.length) await Promise.all(NAMES.map(() => fetchOnce(target, "/warm"))); }
  return {
    mesh,
    attempts,
    apps,
    target,
    async metric(name: string, filter = ""): Promise<number> {
      return sumOf(await mesh.sidecar("front").metrics(), name, filter);
    },
    async [Symbol.asyncDispose](): Promise<void> {
      for (const app of apps) app[Symbol.dispose]();
      await mesh[Symbol.asyncDispose]();
    },
  };
}

const RETRIES = "outbound_http_route_retry";

test.skipIf(isDirect)("a limit of two retries gives three attempts, and is counted where it ends", async () => {
  const annotations = { "retry.tulle.dev/http": "5xx", "retry.tulle.dev/limit": "2" };
  await using r = await rig(annotations, [], async ({ path }, peer) => {
    const left = Number(path.slice(1)) - r.attempts.filter((attempt) => attempt.path === path).length;
    await peer.write(left >= 0 ? reply(503, "no") : reply(200, "yes"));
  });
  expect((await fetchOnce(r.target, "/2")).body.toString()).toBe("yes"); // fails twice, then succeeds
  expect(r.attempts.map(({ path }) => path)).toEqual(["/2", "/2", "/2"]);
  expect((await fetchOnce(r.target, "/3", { "content-length": "0" }, "POST")).status).toBe(503);
  expect(r.attempts.filter(({ path }) => path === "/3")).toHaveLength(3);
  expect(await r.metric(`${RETRIES}_requests_total`)).toBe(4);
  expect(await r.metric(`${RETRIES}_successes_total`)).toBe(1);
  expect(await r.metric(`${RETRIES}_limit_exceeded_total`)).toBe(1);
});

test.skipIf(isDirect)("when everything fails, the budget bounds what retries add", async () => {
  await using r = await rig(
    { "retry.tulle.dev/http": "5xx" },
    [],
    async (_, peer) => await peer.write(reply(500, "no")),
  );
  const REQUESTS = 1500;
  const begin = performance.now();
  await Promise.all(Array.from({ length: 10 }, async () => {
    using client = await Http1Client.connect(r.target);
    for (let i = 0; i < REQUESTS / 10; i++) expect((await client.get(`/${i}`)).status).toBe(500);
  }));
  const seconds = (performance.now() - begin) / 1000;
  const retried = await r.metric(`${RETRIES}_requests_total`);
  const overflow = await r.metric(`${RETRIES}_overflow_total`);
  expect(r.attempts.length).toBe(REQUESTS + retried); // each retry was an attempt, and nothing else was
  expect(retried + overflow).toBe(REQUESTS); // each failure asked for one
  // A fifth of the requests, ten a second, and what a quiet start had saved.
  expect(retried).toBeWithin(0.15 * REQUESTS, 0.2 * REQUESTS + 10 * seconds + 100 + 1);
});

test.skipIf(isDirect)("a rule's backoff lies between attempts, and doubles", async () => {
  const rules = [{ retry: { codes: [503], attempts: 3, backoff: "200ms" } }];
  await using r = await rig({}, rules, async (_, peer) => await peer.write(reply(503, "no")));
  expect((await fetchOnce(r.target, "/")).status).toBe(503);
  const times = r.attempts.map(({ atMs }) => atMs);
  const gaps = times.slice(1).map((at, i) => at - (times[i] ?? 0));
  expect(gaps).toHaveLength(3);
  [200, 400, 800].forEach((least, i) => expect(gaps[i]).toBeGreaterThanOrEqual(least - 1));
});

test.skipIf(isDirect)("a try that takes too long is ended, and another endpoint answers", async () => {
  const rules = [{ timeouts: { backendRequest: "1s" }, retry: { attempts: 1 } }];
  let closed: Promise<unknown> = Promise.resolve();
  await using r = await rig({}, rules, async (_, peer, by) => {
    if (r.attempts.length > 1) await peer.write(reply(200, by));
    else closed = peer.closed;
  });
  const answer = await fetchOnce(r.target, "/");
  const [first, second] = r.attempts;
  expect(answer.body.toString()).toBe(second?.by ?? "");
  expect(second?.by).not.toBe(first?.by);
  expect((second?.atMs ?? 0) - (first?.atMs ?? 0)).toBeGreaterThanOrEqual(1000 - 100); // the app hears of the first a little later
  await closed; // the first application was told that nobody waits
  expect(await r.metric(`${RETRIES}_requests_total`)).toBe(1);
});

test.skipIf(isDirect)("the time for the whole request bounds all its tries", async () => {
  const rules = [{ timeouts: { request: "3s", backendRequest: "1s" }, retry: { attempts: 10 } }];
  await using r = await rig({}, rules, () => {});
  const begin = performance.now();
  const answer = await fetchOnce(r.target, "/");
  const tookMs = performance.now() - begin;
  expect([answer.status, header(answer, "tulle-error")]).toEqual([504, "timeout"]);
  expect(tookMs).toBeGreaterThanOrEqual(3000 - 1);
  expect(r.attempts.length).toBeWithin(2, 4); // at 0, 1 and 2 s
  expect(await r.metric("outbound_http_errors_total", 'error="timeout"')).toBe(1);
});

test.skipIf(isDirect)(
  "an endpoint that fails is taken out, probed by one request at a time, and taken back",
  async () => {
    const accrual = "balancer.tulle.dev/failure-accrual";
    const annotations = {
      [accrual]: "consecutive",
      [`${accrual}-consecutive-max-failures`]: "3",
      [`${accrual}-consecutive-min-penalty`]: "1s",
      [`${accrual}-consecutive-max-penalty`]: "30s",
    };
    let broken = true;
    await using r = await rig(annotations, [], async (_, peer, by) => {
      await Bun.sleep(by === "web-b" ? 60 : 0); // with many at a time the broken one is asked although it is slow in the books
      await peer.write(broken && by === "web-a" ? reply(500, by) : reply(200, by));
    });
    let isOver = false;
    const load = Promise.all(Array.from({ length: 60 }, async () => {
      using client = await Http1Client.connect(r.target);
      while (!isOver) await client.get("/");
    }));
    const opened = () => r.metric("outbound_http_balancer_breaker_open_total");
    const atA = () => r.attempts.filter(({ by }) => by === "web-a");
    await eventually(async () => expect(await opened()).toBeGreaterThanOrEqual(3), 40_000); // the first, and two probes
    expect(await r.metric("outbound_http_balancer_endpoints", 'endpoint_state="pending"')).toBe(1);
    broken = false;
    const before = atA().length;
    await eventually(() => expect(atA().length).toBeGreaterThan(before + 200), 40_000);
    isOver = true;
    await load;
    // Arrivals at the broken endpoint: those before it was out, a silence of the penalty, a probe, one twice as long, …
    const times = atA().map(({ atMs }) => atMs);
    const silences = times.map((at, i) => ({ at: i, ms: at - (times[i - 1] ?? at) })).filter(({ ms }) => ms >= 900);
    expect(silences.length).toBeGreaterThanOrEqual(3);
    const [first, second, third] = silences;
    expect(first?.at).toBeGreaterThanOrEqual(3);
    expect(first?.ms).toBeGreaterThanOrEqual(1000 - 100); // the penalty counts from the third failure, others were under way
    expect(second?.at).toBe((first?.at ?? 0) + 1); // a probe is one request
    expect(second?.ms).toBeGreaterThanOrEqual(2000 - 100);
    expect(third?.at).toBe((second?.at ?? 0) + 1);
    expect(third?.ms).toBeGreaterThanOrEqual(4000 - 100);
  },
);

test.skipIf(isDirect)(
  "while no endpoint can be reached requests wait, then fail at once, and are served when one is back",
  async () => {
    await using r = await rig({}, [], async (_, peer, by) => await peer.write(reply(200, by)));
    expect((await fetchOnce(r.target, "/")).status).toBe(200);
    const stop = () => {
      for (const app of r.apps) {
        for (const peer of app.open()) peer.terminate();
        app[Symbol.dispose]();
      }
    };
    stop();
    const timed = async () => {
      const begin = performance.now();
      const answer = await fetchOnce(r.target, "/");
      return { error: header(answer, "tulle-error"), ms: performance.now() - begin };
    };
    const waiting = Array.from({ length: 20 }, timed);
    await eventually(async () => expect(await r.metric("outbound_http_balancer_queue_length")).toBeGreaterThan(0));
    const waited = await Promise.all(waiting);
    for (const { error, ms } of waited) {
      expect(error).toBe("connect_failed");
      expect(ms).toBeGreaterThanOrEqual(3000 - 100);
    }
    const fast = await Promise.all(Array.from({ length: 20 }, timed));
    expect(fast.map(({ error }) => error)).toEqual(Array(20).fill("fail_fast"));
    expect(Math.max(...fast.map(({ ms }) => ms))).toBeLessThan(3000);
    expect(await r.metric("outbound_http_errors_total", 'error="fail_fast"')).toBe(20);
    using _back = serveHttp(r.mesh.ip("web-a"), PORT, async (_, peer) => await peer.write(reply(200, "back")));
    await eventually(async () => expect((await fetchOnce(r.target, "/")).body.toString()).toBe("back"), 20_000);
    await eventually(async () => expect(await r.metric("outbound_http_balancer_queue_length")).toBe(0));
  },
);

test.skipIf(isDirect)(
  "the queue for endpoints is bounded: what comes on top is refused, what waits is served",
  async () => {
    const SENT = 1100;
    const HELD = 1024;
    const mesh = await startMesh({
      workloads: [workload("front", { calls: [`web:${PORT}`], env: { TULLE_FAIL_FAST_AFTER: "1m" } }), workload("web")],
      services: [service("web", PORT, "kubernetes.io/h2c")],
    });
    await using _mesh = mesh;
    const target = mesh.to("front", `web:${PORT}`);
    using one = new Http2Session(target);
    using other = new Http2Session(target);
    const answers = Array.from({ length: SENT }, (_, i) => (i % 2 === 0 ? one : other).ask());
    await eventually(async () => {
      const waiting = sumOf(await mesh.sidecar("front").metrics(), "outbound_http_balancer_queue_length");
      expect(waiting).toBeWithin(HELD - 16, HELD + 1); // some are on their way to find out
    }, 40_000);
    await using app = await serveHttp2(mesh.ip("web"), PORT);
    const statuses = (await Promise.all(answers)).map((headers) => headers[":status"]);
    const count = (status: number) => statuses.filter((other) => other === status).length;
    expect(count(200) + count(503)).toBe(SENT);
    expect(count(200)).toBe(app.requests());
    expect(app.requests()).toBeWithin(HELD, HELD + 17);
  },
);
