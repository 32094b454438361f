/** Clients that connect and say nothing for a while, where policy tells requests apart. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import { fetchOnce, Http1Client, type HttpApp, reply, serveHttp } from "../support/http1.ts";
import { isDirect, type Mesh, startMesh } from "../support/mesh.ts";
import { sumOf } from "../support/prometheus.ts";
import { allowAccounts, httpRoute, server, service, spiffeId, workload } from "../support/resources.ts";
import { connectTcp } from "../support/tcp.ts";

setDefaultTimeout(90_000);

const ROUTED = 8080;
const CLOSED = 8081;
let mesh: Mesh;
const apps: HttpApp[] = [];

beforeAll(async () => {
  const calls = [`routed:${ROUTED}`, `closed:${CLOSED}`];
  mesh = await startMesh({
    workloads: [workload("front", { calls }), workload("web")],
    services: [service("routed", ROUTED, null, { app: "web" }), service("closed", CLOSED, null, { app: "web" })],
    resources: [
      server("routed", "web", ROUTED),
      httpRoute("open", { kind: "Server", name: "routed" }, [{ matches: [{ path: { value: "/open" } }] }]),
      ...allowAccounts("open", { kind: "HTTPRoute", name: "open" }, ["front"]),
      server("closed", "web", CLOSED),
    ],
  });
  for (const port of [ROUTED, CLOSED]) {
    apps.push(serveHttp(mesh.ip("web"), port, async (_request, peer) => await peer.write(reply(200, "served"))));
  }
  await eventually(async () => {
    expect((await fetchOnce(mesh.to("front", calls[0] ?? ""), "/open")).status).toBe(200);
  });
});

afterAll(async () => {
  for (const app of apps) app[Symbol.dispose]();
  await mesh?.[Symbol.asyncDispose]();
});

/** The sidecar of the client has asked the server's for a connection of bytes, and was refused. */
async function refusedAhead(port: number, before: number): Promise<void> {
  await eventually(async () => expect(await refusals(port)).toBeGreaterThan(before));
}

async function refusals(port: number): Promise<number> {
  const name = port === ROUTED ? "routed" : "closed";
  return sumOf(await mesh.sidecar("web").metrics(), "inbound_tcp_authz_deny_total", { srv_name: name });
}

test.skipIf(isDirect)("a request after a pause is decided about as a request", async () => {
  const before = await refusals(ROUTED);
  using late = await Http1Client.connect(mesh.to("front", `routed:${ROUTED}`));
  await refusedAhead(ROUTED, before);
  expect((await late.get("/open")).status).toBe(200);
  expect((await late.get("/other")).status).toBe(403);
  const known = await refusals(ROUTED);
  using second = await Http1Client.connect(mesh.to("front", `routed:${ROUTED}`));
  await Bun.sleep(50); // longer than the server is left alone; nothing is waited for
  expect((await second.get("/open")).status).toBe(200);
  expect(await refusals(ROUTED)).toBe(known); // it is not asked again for a while
});

test.skipIf(isDirect)("a request after a pause is refused with its reason where nobody is admitted", async () => {
  const before = await refusals(CLOSED);
  using late = await Http1Client.connect(mesh.to("front", `closed:${CLOSED}`));
  await refusedAhead(CLOSED, before);
  const answer = await late.get("/open");
  expect([answer.status, answer.body.toString()]).toEqual([
    403,
    `forbidden: no policy of Server shop/closed allows it to ${spiffeId("front")}\n`,
  ]);
});

test.skipIf(isDirect)(
  "bytes after a pause, and silence where nobody is admitted, end in a reset with its reason",
  async () => {
    using bytes = await connectTcp(mesh.to("front", `routed:${ROUTED}`));
    await bytes.write("\0\x01\x02\x03");
    expect(await bytes.closed).toBe("ECONNRESET");
    using silent = await connectTcp(mesh.to("front", `closed:${CLOSED}`));
    expect(await silent.closed).toBe("ECONNRESET");
    const metrics = await mesh.sidecar("front").metrics();
    expect(sumOf(metrics, "outbound_tcp_errors_total", { error: "unclassified" })).toBe(1);
    expect(sumOf(metrics, "outbound_tcp_errors_total", { error: "denied" })).toBe(1);
    expect(sumOf(metrics, "outbound_tcp_errors_total", { error: "upstream_reset" })).toBe(0);
  },
);
