/** SIGTERM: what is under way is finished, and clients are told to go elsewhere before anything is cut. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import { header, Http1Client, reply, serveHttp } from "../support/http1.ts";
import { startLoad } from "../support/http_load.ts";
import { isDirect, startMesh } from "../support/mesh.ts";
import { service, workload } from "../support/resources.ts";

setDefaultTimeout(90_000);

const PORT = 8080;
/** Requests that one of two endpoints gets some of. */
const ENOUGH = 50;

test.skipIf(isDirect)("one of two servers' sidecars drains under load without a failed request", async () => {
  await using mesh = await startMesh({
    workloads: [
      workload("front", { calls: [`web:${PORT}`] }),
      workload("web-a", { app: "web" }),
      workload("web-b", { app: "web" }),
    ],
    services: [service("web", PORT, "http")],
  });
  const apps = ["web-a", "web-b"].map((name) =>
    serveHttp(mesh.ip(name), PORT, async (_request, peer) => {
      await Bun.sleep(5);
      await peer.write(reply(200, name));
    })
  );
  using _a = apps[0];
  using _b = apps[1];
  const seen = new Set<string>();
  const load = startLoad(mesh.to("front", `web:${PORT}`), { connections: 8, onBody: (body) => seen.add(body) });
  await eventually(() => expect([...seen].sort()).toEqual(["web-a", "web-b"]));
  const leaving = mesh.sidecar("web-a").child();
  leaving.signal("SIGTERM");
  const code = await leaving.exited;
  seen.clear();
  const before = load.ok();
  await eventually(() => expect(load.ok()).toBeGreaterThan(before + ENOUGH));
  const report = await load.stop();
  expect(report).toMatchObject({ failed: 0, reasons: {} });
  expect(code).toBe(0);
  expect([...seen]).toEqual(["web-b"]);
});

test.skipIf(isDirect)("the client's sidecar finishes a long response before it ends", async () => {
  await using mesh = await startMesh({
    workloads: [workload("front", { calls: [`web:${PORT}`] }), workload("web")],
    services: [service("web", PORT, "http")],
  });
  const arrived = Promise.withResolvers<void>();
  using _app = serveHttp(mesh.ip("web"), PORT, async (request, peer) => {
    if (request.path === "/slow") {
      arrived.resolve();
      await Bun.sleep(1_500);
    }
    await peer.write(reply(200, "whole"));
  });
  const target = mesh.to("front", `web:${PORT}`);
  using client = await Http1Client.connect(target);
  using idle = await Http1Client.connect(target);
  await idle.get("/");
  const slow = client.get("/slow");
  await arrived.promise;
  const leaving = mesh.sidecar("front").child();
  const start = performance.now();
  leaving.signal("SIGTERM");
  const response = await slow;
  expect(response.body.toString()).toBe("whole");
  expect(header(response, "connection")?.toLowerCase()).toBe("close");
  expect(await leaving.exited).toBe(0);
  expect(performance.now() - start).toBeLessThan(20_000); // of a grace of 30 s
});
