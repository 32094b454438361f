/** FaultInjection as clients see it: what is spoilt, for whom, and that it ends by itself. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import { fetchOnce, header, Http1Client, type HttpApp, reply, serveHttp } from "../support/http1.ts";
import { isDirect, type Mesh, startMesh } from "../support/mesh.ts";
import { sumOf } from "../support/prometheus.ts";
import { httpRoute, NAMESPACE, type Resource, service, workload } from "../support/resources.ts";

setDefaultTimeout(90_000);

const PORT = 8080;
/** Several times what windows between the app and its caller hold. */
const BIG = "x".repeat(2 * 1024 * 1024);
/** What may pass at once: a window on each side of the client's sidecar and one in between (src/http/limits.ts), and sockets. */
const AHEAD_BYTES = 1024 * 1024;
const LATER = "2999-01-01T00:00:00Z";
let mesh: Mesh;
let app: HttpApp;

beforeAll(async () => {
  const calls = [`web:${PORT}`];
  mesh = await startMesh({
    workloads: [workload("front", { calls }), workload("other", { calls }), workload("web")],
    services: [service("web", PORT, "http")],
  });
  app = serveHttp(mesh.ip("web"), PORT, async (request, peer) => {
    await peer.write(
      reply(200, request.path === "/big" ? BIG : request.method === "POST" ? `${request.body.length}` : "ok"),
    );
  });
});

afterAll(async () => {
  app?.[Symbol.dispose]();
  await mesh?.[Symbol.asyncDispose]();
});

function fault(spec: Resource, target: Resource = { kind: "Service", name: "web" }): Resource {
  return {
    apiVersion: "policy.tulle.dev/v1alpha1",
    kind: "FaultInjection",
    metadata: { name: "chaos", namespace: NAMESPACE },
    spec: { targetRef: target, until: LATER, ...spec },
  };
}

const ask = (who: string, path = "/", headers: Record<string, string> = {}) =>
  fetchOnce(mesh.to(who, `web:${PORT}`), path, headers);
const counted = async (fault: string) =>
  sumOf(await mesh.sidecar("front").metrics(), "tulle_faults_injected_total", { fault, fault_name: "chaos" });

test.skipIf(isDirect)("an abort is for the callers that it names, says so, and never reaches the app", async () => {
  mesh.apply([fault({ abort: { httpStatus: 418 }, clientRefs: [{ kind: "ServiceAccount", name: "front" }] })]);
  const spoilt = await eventually(async () => {
    const answer = await ask("front");
    expect(answer.status).toBe(418);
    return answer;
  });
  expect(header(spoilt, "tulle-error")).toBe("fault_injected");
  expect(spoilt.body.toString()).toContain("FaultInjection shop/chaos");
  const seen = app.requests();
  expect((await ask("front")).status).toBe(418);
  expect(app.requests()).toBe(seen);
  expect((await ask("other")).status).toBe(200);
  expect(await counted("abort")).toBeGreaterThanOrEqual(2);
});

test.skipIf(isDirect)(
  "gRPC gets its status, a reset is no answer at all, and only the route that is named is spoilt",
  async () => {
    const route = httpRoute("web", { kind: "Service", name: "web" }, [
      { matches: [{ path: { type: "PathPrefix", value: "/bad" } }], backendRefs: [{ name: "web", port: PORT }] },
    ]);
    const good = httpRoute("good", { kind: "Service", name: "web" }, [{ backendRefs: [{ name: "web", port: PORT }] }]);
    const target = { kind: "HTTPRoute", name: "web" };
    mesh.apply([route, good, fault({ abort: { grpcStatus: 5 } }, target)]);
    await eventually(async () => {
      expect(header(await ask("front", "/bad", { "content-type": "application/grpc" }), "grpc-status")).toBe("5");
    });
    expect((await ask("front", "/good")).status).toBe(200);
    mesh.apply([route, good, fault({ reset: true }, target)]);
    await eventually(async () => expect(await ask("front", "/bad").then(() => "answer", () => "reset")).toBe("reset"));
    expect((await ask("front", "/good")).status).toBe(200);
    expect(await counted("reset")).toBeGreaterThanOrEqual(1);
  },
);

test.skipIf(isDirect)("a delay holds a request back, and a share of nothing spoils none", async () => {
  mesh.apply([fault({ delay: "400ms" })]);
  await eventually(async () => {
    await ask("front");
    expect(await counted("delay")).toBeGreaterThanOrEqual(1);
  });
  const order: string[] = [];
  mesh.apply([fault({ delay: "400ms", clientRefs: [{ kind: "ServiceAccount", name: "front" }] })]);
  await eventually(async () => {
    order.length = 0;
    await Promise.all([
      ask("front").then(({ status }) => order.push(`front ${status}`)),
      ask("other").then(({ status }) => order.push(`other ${status}`)),
    ]);
    expect(order).toEqual(["other 200", "front 200"]);
  });
  const before = await counted("delay");
  mesh.apply([fault({ delay: "400ms", percent: 0 })]);
  await eventually(async () => {
    const start = await counted("delay");
    for (let i = 0; i < 5; i++) await ask("front");
    expect(await counted("delay")).toBe(start);
  });
  expect(before).toBeGreaterThanOrEqual(1);
});

test.skipIf(isDirect)(
  "a bandwidth slows the bodies of its callers down, whole and in order, and nobody else's",
  async () => {
    const rate = 512 * 1024;
    const bandwidth = { requestBytesPerSecond: rate, responseBytesPerSecond: rate };
    mesh.apply([fault({ bandwidth, clientRefs: [{ kind: "ServiceAccount", name: "front" }] })]);
    await eventually(async () => {
      await ask("front");
      expect(await counted("bandwidth")).toBeGreaterThanOrEqual(1);
    });
    const leastMs = (1000 * (BIG.length - AHEAD_BYTES)) / rate;
    const timed = async (body: () => Promise<string>) => {
      const since = performance.now();
      return { body: await body(), ms: performance.now() - since };
    };
    const order: string[] = [];
    const [slow] = await Promise.all([
      timed(async () => (await ask("front", "/big")).body.toString()).finally(() => order.push("front")),
      ask("other", "/big").then(({ body }) => order.push(`other ${body.length}`)),
    ]);
    expect(slow.body).toBe(BIG);
    expect(slow.ms).toBeGreaterThan(leastMs);
    expect(order).toEqual([`other ${BIG.length}`, "front"]);
    const sent = await timed(async () => {
      using client = await Http1Client.connect(mesh.to("front", `web:${PORT}`));
      const head = `POST / HTTP/1.1\r\nhost: web\r\ncontent-length: ${BIG.length}\r\n\r\n`;
      const [answer] = await Promise.all([client.readResponse(), client.peer.write(head + BIG)]);
      return answer.body.toString();
    });
    expect(sent.body).toBe(String(BIG.length));
    expect(sent.ms).toBeGreaterThan(leastMs);
  },
);

test.skipIf(isDirect)("a fault ends at its time, also when the controller is gone", async () => {
  mesh.apply([fault({ abort: { httpStatus: 503 }, until: new Date(Date.now() + 6_000).toISOString() })]);
  await eventually(async () => expect((await ask("front")).status).toBe(503), 5_000);
  mesh.controller.child().signal("SIGKILL");
  await eventually(async () => expect((await ask("front")).status).toBe(200), 20_000);
});
