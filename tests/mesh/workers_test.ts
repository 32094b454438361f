/** A sidecar with two threads: both carry traffic, and from outside it is one proxy. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, writeFileSync } from "node:fs";
import { connect, type TLSSocket } from "node:tls";
import { once } from "node:events";
import { join } from "node:path";
import { eventually } from "../support/eventually.ts";
import { Http1Client, reply, serveHttp } from "../support/http1.ts";
import { startLoad } from "../support/http_load.ts";
import { isDirect, type Mesh, type MeshOptions, type Part, startMesh } from "../support/mesh.ts";
import { sumOf } from "../support/prometheus.ts";
import { service, spiffeId, workload } from "../support/resources.ts";

setDefaultTimeout(60_000);

const PORT = 8080;
const MESH_PORT = 4143;

function start(more: Partial<MeshOptions> = {}): Promise<Mesh> {
  return startMesh({
    workloads: [workload("front", { calls: [`web:${PORT}`] }), workload("web")],
    services: [service("web", PORT, "http")],
    workers: 2,
    ...more,
  });
}

interface Dump {
  readonly connections: number;
  readonly threads: readonly { readonly connections: number }[];
  readonly identity: { readonly certificate: { readonly notAfterMs: number } };
}

async function dumpOf(part: Part): Promise<Dump> {
  return await (await fetch(`${part.adminUrl}/config`)).json();
}

/** Connections of each thread. */
async function spread(part: Part): Promise<number[]> {
  return (await dumpOf(part)).threads.map(({ connections }) => connections);
}

async function openAll(mesh: Mesh, count: number): Promise<Http1Client[]> {
  return await Promise.all(Array.from({ length: count }, async () => {
    const client = await Http1Client.connect(mesh.to("front", `web:${PORT}`));
    expect((await client.get("/")).status).toBe(200);
    return client;
  }));
}

test.skipIf(isDirect)(
  "connections are dealt out evenly, be they few: those of applications and those between sidecars",
  async () => {
    await using mesh = await start();
    using _app = serveHttp(mesh.ip("web"), PORT, async (_request, peer) => await peer.write(reply(200, "ok")));
    const clients = await openAll(mesh, 8);
    expect(await spread(mesh.sidecar("front"))).toEqual([4, 4]);
    // Each thread of the client's sidecar has a connection of its own to the server's.
    expect(await spread(mesh.sidecar("web"))).toEqual([1, 1]);
    for (const client of clients) client[Symbol.dispose]();
    await eventually(async () => expect(await spread(mesh.sidecar("front"))).toEqual([0, 0]));
  },
);

test.skipIf(isDirect)("metrics are the exact sum of all threads, and never go down", async () => {
  await using mesh = await start();
  using _app = serveHttp(mesh.ip("web"), PORT, async (_request, peer) => await peer.write(reply(200, "0123456789")));
  const [front, web] = [mesh.sidecar("front"), mesh.sidecar("web")];
  const clients = await openAll(mesh, 6);
  let before = 0;
  const watch = setInterval(async () => {
    const now = sumOf(await front.metrics(), "request_total", { direction: "outbound" });
    if (now < before) before = Infinity;
    before = Math.max(before, now);
  }, 20);
  await Promise.all(clients.map(async (client, at) => {
    for (let turn = 0; turn < 100 + at; turn++) await client.get("/");
  }));
  clearInterval(watch);
  const requests = 6 * 100 + 15 + 6;
  // A thread that has no turn for a second, on a busy machine, is shown as it was before.
  const settled = async (part: Part, labels: Readonly<Record<string, string>>) =>
    await eventually(async () => {
      const text = await part.metrics();
      expect(sumOf(text, "request_total", labels)).toBe(requests);
      return text;
    });
  const metrics = await settled(front, { direction: "outbound" });
  expect(before).toBeLessThanOrEqual(requests);
  expect(sumOf(metrics, "response_total", { direction: "outbound", status_code: "200" })).toBe(requests);
  expect(sumOf(metrics, "response_latency_ms_count", { direction: "outbound" })).toBe(requests);
  expect(sumOf(metrics, "tcp_open_connections", { direction: "outbound", peer: "src" })).toBe(6);
  expect(sumOf(metrics, "outbound_http_balancer_endpoints", { endpoint_state: "ready" })).toBe(1);
  const inbound = await settled(web, { direction: "inbound", tls: "true" });
  expect(sumOf(inbound, "tcp_open_connections", { direction: "inbound", peer: "src" })).toBe(2);
  for (const client of clients) client[Symbol.dispose]();
});

test.skipIf(isDirect)("a renewed certificate is presented by all threads, and no request fails", async () => {
  await using mesh = await start({ leafLifetime: "10s" });
  using _app = serveHttp(mesh.ip("web"), PORT, async (_request, peer) => await peer.write(reply(200, "ok")));
  const load = startLoad(mesh.to("front", `web:${PORT}`), { connections: 8, requestsPerConnection: 20, pauseMs: 2 });
  const first = (await dumpOf(mesh.sidecar("web"))).identity.certificate.notAfterMs;
  await eventually(async () => {
    expect((await dumpOf(mesh.sidecar("web"))).identity.certificate.notAfterMs).toBeGreaterThan(first);
  }, 30_000);
  const leaf = await (await mesh.ca()).issue({ uris: [spiffeId("front")], dnsNames: ["mesh.tulle.dev"] });
  const options = { servername: "mesh.tulle.dev", ALPNProtocols: ["tulle/1"], rejectUnauthorized: false };
  const sockets: TLSSocket[] = [];
  for (let i = 0; i < 8; i++) {
    const socket = connect({
      host: mesh.ip("web"),
      port: MESH_PORT,
      cert: leaf.certificate,
      key: leaf.key,
      ...options,
    });
    await once(socket, "secureConnect");
    sockets.push(socket); // held, so that the next one goes to the other thread
  }
  for (const socket of sockets) {
    expect(Date.parse(socket.getPeerCertificate().valid_to)).toBeGreaterThan(first);
    socket.destroy();
  }
  expect(await load.stop()).toMatchObject({ failed: 0, reasons: {} });
});

test.skipIf(isDirect)(
  "all threads drain: what is under way finishes, and what outlives the grace is cut off and counted",
  async () => {
    await using mesh = await start({ env: { TULLE_DRAIN_GRACE: "2s" } });
    using _app = serveHttp(mesh.ip("web"), PORT, async (request, peer) => {
      if (request.path === "/slow") await Bun.sleep(700);
      if (request.path === "/never") await Bun.sleep(20_000);
      await peer.write(reply(200, "whole"));
    });
    const clients = await openAll(mesh, 8);
    const slow = clients.slice(0, 6).map((client) => client.get("/slow"));
    const never = clients.slice(6).map((client) => client.get("/never").catch(() => null));
    await eventually(async () => {
      const open = sumOf(await mesh.sidecar("front").metrics(), "request_total", { direction: "outbound" });
      expect(open).toBe(16);
    });
    const leaving = mesh.sidecar("front").child();
    leaving.signal("SIGTERM");
    for (const response of await Promise.all(slow)) expect(response.body.toString()).toBe("whole");
    expect(await leaving.exited).toBe(0);
    expect(leaving.output()).toContain('"connections cut off at the end of the drain","connections":2');
    await Promise.all(never);
    for (const client of clients) client[Symbol.dispose]();
  },
);

test.skipIf(isDirect)("access log and tap show the requests of all threads, whole and once", async () => {
  await using mesh = await start({ env: { TULLE_ACCESS_LOG: "json" } });
  using _app = serveHttp(mesh.ip("web"), PORT, async (_request, peer) => await peer.write(reply(200, "ok")));
  const clients = await openAll(mesh, 4);
  const front = mesh.sidecar("front");
  const paths = clients.flatMap((_, at) => Array.from({ length: 100 }, (_, turn) => `/${at}-${turn}`));
  const tap = { done: false, text: "" };
  // The answer's head comes with the first event.
  const tapped = fetch(`${front.adminUrl}/tap?limit=80`).then(async (response) => {
    tap.text = await response.text();
    tap.done = true;
  });
  while (!tap.done) await Promise.all(clients.map((client, at) => client.get(`/tap/${at}`)));
  await tapped;
  const events = tap.text.trim().split("\n").map((line) => JSON.parse(line).path);
  expect(events).toHaveLength(80);
  expect([...new Set(events)].sort()).toEqual(["/tap/0", "/tap/1", "/tap/2", "/tap/3"]);
  await Promise.all(clients.map(async (client, at) => {
    for (let turn = 0; turn < 100; turn++) await client.get(`/${at}-${turn}`);
  }));
  await eventually(() => {
    const lines = front.child().stdout().trim().split("\n").map((line) => JSON.parse(line).path);
    expect(lines.filter((path) => /^\/\d-/.test(path)).sort()).toEqual([...paths].sort());
  });
  for (const client of clients) client[Symbol.dispose]();
});

test.skipIf(isDirect)("a thread that fails is replaced: others serve, nothing that was counted is lost", async () => {
  const entry = join(import.meta.dirname, "_failing_worker.ts");
  const subnetDir = join("/tmp", `tulle-fail-${process.pid}-${Date.now()}`);
  await using mesh = await start({
    tulle: [process.execPath, entry],
    env: { TULLE_TEST_FAIL_FILE: subnetDir },
  });
  using _app = serveHttp(mesh.ip("web"), PORT, async (_request, peer) => await peer.write(reply(200, "ok")));
  const front = mesh.sidecar("front");
  const clients = await openAll(mesh, 8);
  expect(await spread(front)).toEqual([4, 4]);
  const counted = sumOf(await front.metrics(), "request_total", { direction: "outbound" });
  for (const client of clients) await client.get("/"); // since the last scrape
  // Each sidecar has a worker; whichever sees the file first.
  writeFileSync(subnetDir, "");
  await eventually(() => expect(existsSync(subnetDir)).toBe(false));
  await eventually(() => {
    const logs = front.child().output() + mesh.sidecar("web").child().output();
    expect(logs).toContain("the test has a worker fail");
  });
  await eventually(async () => {
    const texts = [await front.metrics(), await mesh.sidecar("web").metrics()];
    expect(texts.some((text) => sumOf(text, "tulle_forced_closes_total", { reason: "worker_failed" }) > 0)).toBe(true);
  });
  expect(sumOf(await front.metrics(), "request_total", { direction: "outbound" })).toBe(counted + 8);
  // New connections are served all the time, and soon by two threads again.
  await eventually(async () => {
    const more = await openAll(mesh, 8);
    try {
      const threads = await spread(front);
      expect(threads).toHaveLength(2);
      expect(Math.min(...threads)).toBeGreaterThan(2);
    } finally {
      for (const client of more) client[Symbol.dispose]();
    }
  });
  for (const client of clients) client[Symbol.dispose]();
});
