/** Requests, and opaque connections, that are kept with an endpoint: by a key, and by `sessionAffinity: ClientIP`. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import { fetchOnce, reply, serveHttp } from "../support/http1.ts";
import { isDirect, type Mesh, startMesh } from "../support/mesh.ts";
import { sumOf } from "../support/prometheus.ts";
import { NAMESPACE, type Resource, service, workload } from "../support/resources.ts";
import { connectTcp, listenTcp } from "../support/tcp.ts";

setDefaultTimeout(90_000);

const PORT = 8080;
const NAMES = ["web-a", "web-b", "web-c", "web-d"];
const EVENTS = "outbound_http_resilience_total";
const BY_USER: Resource = {
  apiVersion: "policy.tulle.dev/v1alpha1",
  kind: "BackendPolicy",
  metadata: { name: "web", namespace: NAMESPACE },
  spec: { targetRef: { kind: "Service", name: "web" }, loadBalancing: { consistentHash: { header: "X-User" } } },
};

function endpoints(names: readonly string[]) {
  return names.map((name) => workload(name, { app: "web" }));
}

/** Who answers a request of each of forty users. */
async function answers(mesh: Mesh, client: string): Promise<string[]> {
  const found: string[] = [];
  for (let i = 0; i < 40; i++) {
    const answer = await fetchOnce(mesh.to(client, `web:${PORT}`), "/", { "x-user": `user-${i}` });
    found.push(answer.body.toString());
  }
  return found;
}

test.skipIf(isDirect)("a key has one endpoint, whoever asks; another one only while that is not there", async () => {
  const calls = [`web:${PORT}`];
  await using mesh = await startMesh({
    workloads: [workload("front", { calls }), workload("other", { calls }), ...endpoints(NAMES)],
    services: [service("web", PORT, "http")],
    resources: [BY_USER],
  });
  await using stack = new AsyncDisposableStack();
  for (const name of NAMES) {
    stack.use(serveHttp(mesh.ip(name), PORT, async (_request, peer) => {
      await peer.write(reply(200, name));
    }));
  }
  const before = await answers(mesh, "front");
  expect(new Set(before).size).toBe(4);
  expect(await answers(mesh, "other")).toEqual(before);
  expect(sumOf(await mesh.sidecar("front").metrics(), EVENTS, { event: "hash_kept" })).toBe(40);
  mesh.withdraw(["web-b"]);
  await eventually(async () => expect(await answers(mesh, "front")).not.toContain("web-b"), 30_000);
  const during = await answers(mesh, "front");
  expect(during.filter((name, i) => before[i] !== "web-b" && name !== before[i])).toEqual([]);
  mesh.withdraw([]);
  await eventually(async () => expect(await answers(mesh, "front")).toEqual(before), 30_000);
});

test.skipIf(isDirect)("with sessionAffinity a client stays where it went, also when endpoints come", async () => {
  const spec = { sessionAffinity: "ClientIP" };
  const more = { app: "web", spec };
  await using mesh = await startMesh({
    workloads: [workload("front", { calls: [`web:${PORT}`, `raw:${PORT + 1}`] }), ...endpoints(NAMES)],
    services: [service("web", PORT, "http", { spec }), service("raw", PORT + 1, "tulle.dev/opaque", more)],
    withdrawn: NAMES.slice(1),
  });
  await using stack = new AsyncDisposableStack();
  for (const name of NAMES) {
    stack.use(serveHttp(mesh.ip(name), PORT, async (_request, peer) => {
      await peer.write(reply(200, name));
    }));
    stack.use(listenTcp(mesh.ip(name), PORT + 1, async (peer) => {
      await peer.read();
      await peer.write(name);
      peer.end();
    }));
  }
  const say = async () => {
    using peer = await connectTcp(mesh.to("front", `raw:${PORT + 1}`));
    await peer.write(Buffer.from("hello"));
    return (await peer.readAll(10_000)).toString();
  };
  expect([...new Set(await answers(mesh, "front"))]).toEqual(["web-a"]);
  expect(await say()).toBe("web-a");
  for (const name of NAMES.slice(1)) await mesh.sidecar(name).start();
  mesh.withdraw([]);
  const present = { endpoint_state: "ready" };
  await eventually(async () => {
    const text = await mesh.sidecar("front").metrics();
    expect(sumOf(text, "outbound_http_balancer_endpoints", present)).toBeGreaterThanOrEqual(8);
  }, 30_000);
  expect([...new Set(await answers(mesh, "front"))]).toEqual(["web-a"]);
  expect([await say(), await say(), await say()]).toEqual(["web-a", "web-a", "web-a"]);
  mesh.withdraw(["web-a"]);
  await eventually(async () => expect(await answers(mesh, "front")).not.toContain("web-a"), 30_000);
  expect(new Set(await answers(mesh, "front")).size).toBe(1);
});
