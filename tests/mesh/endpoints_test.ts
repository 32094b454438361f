/** Several endpoints behind a service: slow, dying, weighted. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import { fetchOnce, reply, serveHttp } from "../support/http1.ts";
import { startLoad } from "../support/http_load.ts";
import { isDirect, startMesh } from "../support/mesh.ts";
import { httpRoute, service, split, workload } from "../support/resources.ts";

setDefaultTimeout(90_000);

const PORT = 8080;

function count(): { seen: Record<string, number>; onBody: (body: string) => void } {
  const seen: Record<string, number> = {};
  return { seen, onBody: (body) => seen[body] = (seen[body] ?? 0) + 1 };
}

test.skipIf(isDirect)("a slow endpoint gets less than the fast ones", async () => {
  const names = ["web-a", "web-b", "web-slow"];
  await using mesh = await startMesh({
    workloads: [workload("front", { calls: [`web:${PORT}`] }), ...names.map((name) => workload(name, { app: "web" }))],
    services: [service("web", PORT, "http")],
  });
  using stack = new DisposableStack();
  for (const name of names) {
    stack.use(serveHttp(mesh.ip(name), PORT, async (_request, peer) => {
      await Bun.sleep(name === "web-slow" ? 150 : 3);
      await peer.write(reply(200, name));
    }));
  }
  const { seen, onBody } = count();
  const load = startLoad(mesh.to("front", `web:${PORT}`), { connections: 12, onBody });
  await Bun.sleep(4_000);
  const report = await load.stop();
  console.log(`shares: ${JSON.stringify(seen)}`);
  expect(report.failed).toBe(0);
  const slow = seen["web-slow"] ?? 0;
  expect(slow).toBeLessThan(Math.min(seen["web-a"] ?? 0, seen["web-b"] ?? 0) / 3);
});

test.skipIf(isDirect)("an endpoint whose app dies costs no request", async () => {
  const names = ["web-a", "web-b", "web-c"];
  await using mesh = await startMesh({
    workloads: [workload("front", { calls: [`web:${PORT}`] }), ...names.map((name) => workload(name, { app: "web" }))],
    services: [service("web", PORT, "http")],
  });
  using stack = new DisposableStack();
  const apps = names.map((name) =>
    stack.use(serveHttp(mesh.ip(name), PORT, async (_request, peer) => {
      await Bun.sleep(2);
      await peer.write(reply(200, name));
    }))
  );
  const load = startLoad(mesh.to("front", `web:${PORT}`), { connections: 8 });
  await Bun.sleep(1_000);
  for (const peer of apps[0]?.open() ?? []) peer.terminate();
  apps[0]?.[Symbol.dispose]();
  await Bun.sleep(5_000);
  const report = await load.stop();
  console.log(`dying app: ${report.failed} of ${report.ok + report.failed} failed ${JSON.stringify(report.reasons)}`);
  expect(report.failed).toBe(0); // all are GETs, and there are others
  expect(report.ok).toBeGreaterThan(1_000);
});

test.skipIf(isDirect)(
  "a whole endpoint (app and sidecar) that vanishes costs no request",
  async () => {
    const names = ["web-a", "web-b"];
    await using mesh = await startMesh({
      workloads: [
        workload("front", { calls: [`web:${PORT}`] }),
        ...names.map((name) => workload(name, { app: "web" })),
      ],
      services: [service("web", PORT, "http")],
    });
    using stack = new DisposableStack();
    const apps = names.map((name) =>
      stack.use(serveHttp(mesh.ip(name), PORT, async (_request, peer) => await peer.write(reply(200, name))))
    );
    const load = startLoad(mesh.to("front", `web:${PORT}`), { connections: 8, pauseMs: 1 });
    await Bun.sleep(500);
    mesh.sidecar("web-a").child().signal("SIGKILL");
    apps[0]?.[Symbol.dispose]();
    const before = load.ok();
    await eventually(() => expect(load.ok()).toBeGreaterThan(before + 500), 30_000);
    const report = await load.stop();
    console.log(`vanished: ${report.failed} of ${report.ok + report.failed} failed ${JSON.stringify(report.reasons)}`);
    expect(report.failed).toBe(0); // all are GETs, and there is another one
  },
);

test.skipIf(isDirect)("requests split over two services by weight, and follow a change of the weights", async () => {
  const names = ["web-old", "web-new"];
  await using mesh = await startMesh({
    workloads: [workload("front", { calls: [`web:${PORT}`] }), ...names.map((name) => workload(name))],
    services: [service("web", PORT, "http", { app: "web-old" }), ...names.map((name) => service(name, PORT, "http"))],
    resources: [
      httpRoute("split", { kind: "Service", name: "web", port: PORT }, [split({ "web-old": 90, "web-new": 10 }, PORT)]),
    ],
  });
  using stack = new DisposableStack();
  for (const name of names) {
    stack.use(serveHttp(mesh.ip(name), PORT, async (_request, peer) => await peer.write(reply(200, name))));
  }
  const share = async () => {
    const { seen, onBody } = count();
    const load = startLoad(mesh.to("front", `web:${PORT}`), { connections: 4, onBody });
    await eventually(() => expect(load.ok()).toBeGreaterThan(2_000), 20_000);
    expect((await load.stop()).failed).toBe(0);
    const [old, fresh] = [seen["web-old"] ?? 0, seen["web-new"] ?? 0];
    return fresh / (old + fresh);
  };
  const first = await share();
  expect(first).toBeGreaterThan(0.07);
  expect(first).toBeLessThan(0.13);
  mesh.apply([
    httpRoute("split", { kind: "Service", name: "web", port: PORT }, [split({ "web-old": 0, "web-new": 1 }, PORT)]),
  ]);
  await eventually(async () => {
    for (let turn = 0; turn < 20; turn++) {
      expect((await fetchOnce(mesh.to("front", `web:${PORT}`), "/")).body.toString()).toBe("web-new");
    }
  });
  expect(await share()).toBe(1);
});
