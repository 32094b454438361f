/** Certificates change, the controller dies, a sidecar drains: under load, and no request fails. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import { Http1Client, type HttpApp, reply, serveHttp } from "../support/http1.ts";
import { startLoad } from "../support/http_load.ts";
import { isDirect, type Mesh, startMesh } from "../support/mesh.ts";
import { service, workload } from "../support/resources.ts";
import { connectTcp, listenTcp, type TcpListener } from "../support/tcp.ts";

setDefaultTimeout(90_000);

const PORT = 8080;
const ECHO_PORT = 9000;
/** Requests that show that all goes on. */
const ENOUGH = 100;
let mesh: Mesh;
let app: HttpApp;
let echo: TcpListener;
const target = () => mesh.to("front", `web:${PORT}`);

beforeAll(async () => {
  mesh = await startMesh({
    workloads: [workload("front", { calls: [`web:${PORT}`, `echo:${ECHO_PORT}`] }), workload("web")],
    services: [service("web", PORT, "http"), service("echo", ECHO_PORT, "tulle.dev/opaque", { app: "web" })],
    leafLifetime: "10s",
  });
  app = serveHttp(mesh.ip("web"), PORT, async (_request, peer) => await peer.write(reply(200, "ok")));
  echo = listenTcp(mesh.ip("web"), ECHO_PORT, async (peer) => {
    for (let bytes = await peer.read(); bytes !== null; bytes = await peer.read()) await peer.write(bytes);
  });
});

afterAll(async () => {
  app?.[Symbol.dispose]();
  echo?.[Symbol.dispose]();
  await mesh?.[Symbol.asyncDispose]();
});

/** Seconds since 1970 at which the sidecar's certificate ends, by its metrics. */
async function expiry(name: string): Promise<number> {
  const text = await mesh.sidecar(name).metrics();
  const line = /^\w*identity_cert_expir\w*(?:\{[^}]*\})? (\S+)$/m.exec(text);
  return Number(line?.[1] ?? NaN);
}

/** Waits for another certificate of the sidecar. */
async function renewed(name: string): Promise<void> {
  const before = await expiry(name);
  await eventually(async () => expect(await expiry(name)).toBeGreaterThan(before));
}

test.skipIf(isDirect)("certificates of ten seconds are renewed under load without a failed request", async () => {
  const before = await expiry("web");
  // Some connections stay, some are new all the time, so that both kept and fresh connections meet each certificate.
  const kept = startLoad(target(), { connections: 4, pauseMs: 2 });
  const fresh = startLoad(target(), { connections: 2, requestsPerConnection: 3, pauseMs: 2 });
  using opaque = await connectTcp(mesh.to("front", `echo:${ECHO_PORT}`));
  for (let turn = 0; turn < 220; turn++) { // 22 s: more than two lifetimes
    await opaque.write(`turn ${turn}`);
    expect((await opaque.readExactly(`turn ${turn}`.length)).toString()).toBe(`turn ${turn}`);
    await Bun.sleep(100);
  }
  const reports = [await kept.stop(), await fresh.stop()];
  for (const report of reports) expect(report).toMatchObject({ failed: 0, reasons: {} });
  expect(reports.reduce((sum, report) => sum + report.ok, 0)).toBeGreaterThan(1_000);
  expect(await expiry("web")).toBeGreaterThan(before + 10);
});

test.skipIf(isDirect)("the controller is killed and started again under load without a failed request", async () => {
  const load = startLoad(target(), { connections: 4, pauseMs: 2, requestsPerConnection: 20 });
  // From a fresh certificate on there is as much time as there can be until the controller must be back.
  await Promise.all(["front", "web"].map(renewed));
  mesh.controller.child().signal("SIGKILL");
  await mesh.controller.child().exited;
  const whileAway = load.ok();
  await eventually(() => expect(load.ok()).toBeGreaterThan(whileAway + ENOUGH));
  await mesh.controller.start();
  await Promise.all(["front", "web"].map(renewed)); // by the new controller
  const whileBack = load.ok();
  await eventually(() => expect(load.ok()).toBeGreaterThan(whileBack + ENOUGH));
  expect(await load.stop()).toMatchObject({ failed: 0, reasons: {} });
});

test.skipIf(isDirect)(
  "a sidecar that was restarted while the controller is away serves from its saved state",
  async () => {
    mesh.controller.child().signal("SIGKILL");
    await mesh.controller.child().exited;
    await mesh.sidecar("front").child().stop();
    await mesh.sidecar("front").start();
    using client = await Http1Client.connect(target());
    expect((await client.get("/")).status).toBe(200);
    await mesh.controller.start();
  },
);
