/** Authorization as a client sees it: who is admitted, what the refusal says, and what changes when policies do. */
import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import { fetchOnce, header, Http1Client, type HttpApp, reply, serveHttp } from "../support/http1.ts";
import { startLoad } from "../support/http_load.ts";
import { isDirect, type Mesh, startMesh } from "../support/mesh.ts";
import { allowAccounts, httpRoute, type Resource, server, service, workload } from "../support/resources.ts";
import { connectTcp, listenTcp, type TcpListener } from "../support/tcp.ts";

setDefaultTimeout(90_000);

const PORT = 8080;
const RAW_PORT = 9000;
const ONLY_FRONT: readonly Resource[] = [
  server("web", "web", PORT, { proxyProtocol: "HTTP/1" }),
  ...allowAccounts("web", { kind: "Server", name: "web" }, ["front"]),
  server("raw", "web", RAW_PORT, { proxyProtocol: "opaque" }),
  ...allowAccounts("raw", { kind: "Server", name: "raw" }, ["front"]),
];
let mesh: Mesh;
let app: HttpApp;
let raw: TcpListener;

beforeAll(async () => {
  const calls = [`web:${PORT}`, `raw:${RAW_PORT}`];
  mesh = await startMesh({
    workloads: [workload("front", { calls }), workload("stranger", { calls }), workload("web")],
    services: [service("web", PORT, "http"), service("raw", RAW_PORT, "tulle.dev/opaque", { app: "web" })],
    resources: ONLY_FRONT,
  });
  app = serveHttp(mesh.ip("web"), PORT, async (request, peer) => {
    await peer.write(reply(200, JSON.stringify({ path: request.path, client: header(request, "tulle-client-id") })));
  });
  raw = listenTcp(mesh.ip("web"), RAW_PORT, async (peer) => {
    await peer.write("served\n");
    await peer.readAll();
    peer.end();
  });
});

afterEach(async () => {
  mesh.writeConfig("broken.yaml", null);
  mesh.apply(ONLY_FRONT);
  if (isDirect) return;
  await eventually(async () => {
    expect((await ask("front")).status).toBe(200);
    expect((await ask("stranger")).status).toBe(403);
  });
});

afterAll(async () => {
  app?.[Symbol.dispose]();
  raw?.[Symbol.dispose]();
  await mesh?.[Symbol.asyncDispose]();
});

function ask(who: string, path = "/", headers: Record<string, string> = {}) {
  return fetchOnce(mesh.to(who, `web:${PORT}`), path, headers);
}

test.skipIf(isDirect)(
  "the account that is named is admitted, another gets 403 with the reason, and the app never hears of it",
  async () => {
    expect((await ask("front")).status).toBe(200);
    const before = app.requests();
    const refused = await ask("stranger");
    expect(refused.status).toBe(403);
    const said = refused.body.toString() + JSON.stringify(refused.headers);
    expect(said).toMatch(/polic|authori[sz]|denied|admit/i);
    expect(app.requests()).toBe(before);
  },
);

test.skipIf(isDirect)("the app is told who calls, and a forged identity is not passed on", async () => {
  const response = await ask("front", "/", { "tulle-client-id": "spiffe://cluster.local/ns/shop/sa/admin" });
  const { client } = JSON.parse(response.body.toString()) as { client: string | null };
  expect(client).toContain("ns/shop/sa/front");
  expect(client).not.toContain("admin");
});

test.skipIf(isDirect)("an opaque connection of a stranger is closed before a byte reaches the app", async () => {
  using good = await connectTcp(mesh.to("front", `raw:${RAW_PORT}`));
  expect(Buffer.from(await good.read() ?? []).toString()).toBe("served\n");
  const before = raw.accepted();
  using bad = await connectTcp(mesh.to("stranger", `raw:${RAW_PORT}`));
  await bad.write("anything").catch(() => {}); // may be closed already
  expect(await bad.readAll().catch(() => "reset")).toSatisfy((found) => String(found) === "" || found === "reset");
  expect(raw.accepted()).toBe(before);
});

test.skipIf(isDirect)("a change of policy takes effect, both ways, under load that it does not concern", async () => {
  const load = startLoad(mesh.to("front", `web:${PORT}`), { connections: 2, pauseMs: 2 });
  mesh.apply([...ONLY_FRONT, ...allowAccounts("more", { kind: "Server", name: "web" }, ["stranger"])]);
  await eventually(async () => expect((await ask("stranger")).status).toBe(200));
  mesh.apply(ONLY_FRONT);
  await eventually(async () => expect((await ask("stranger")).status).toBe(403));
  expect(await load.stop()).toMatchObject({ failed: 0, reasons: {} });
});

test.skipIf(isDirect)("a route's policy holds for its paths alone", async () => {
  const route = (name: string, path: string) =>
    httpRoute(name, { kind: "Server", name: "web" }, [{ matches: [{ path: { type: "PathPrefix", value: path } }] }]);
  mesh.apply([
    server("web", "web", PORT, { proxyProtocol: "HTTP/1" }),
    route("public", "/public"),
    route("private", "/private"),
    ...allowAccounts("public", { kind: "HTTPRoute", name: "public" }, ["front", "stranger"]),
    ...allowAccounts("private", { kind: "HTTPRoute", name: "private" }, ["front"]),
  ]);
  await eventually(async () => expect((await ask("stranger", "/public/a")).status).toBe(200));
  expect((await ask("stranger", "/private")).status).toBe(403);
  expect((await ask("front", "/private")).status).toBe(200);
  expect([403, 404]).toContain((await ask("front", "/neither")).status);
});

test.skipIf(isDirect)("what cannot be read as HTTP does not get around the policy of routes", async () => {
  mesh.apply([
    server("web", "web", PORT, { proxyProtocol: "HTTP/1" }),
    httpRoute("public", { kind: "Server", name: "web" }, [{
      matches: [{ path: { type: "PathPrefix", value: "/public" } }],
    }]),
    ...allowAccounts("public", { kind: "HTTPRoute", name: "public" }, ["front", "stranger"]),
  ]);
  await eventually(async () => expect((await ask("stranger", "/private")).status).not.toBe(200));
  await eventually(async () => expect((await ask("stranger", "/public")).status).toBe(200));
  const before = app.requests();
  for (
    const text of ["GET /private x HTTP/1.1\r\nhost: web\r\n\r\n", "\x00\x01\x02", "G(T /private HTTP/1.1\r\n\r\n"]
  ) {
    using peer = await connectTcp(mesh.to("stranger", `web:${PORT}`));
    await peer.write(text);
    const answer = await peer.readAll(5_000).catch(() => Buffer.alloc(0)); // a reset is a refusal too
    expect(answer.toString("latin1")).not.toContain("HTTP/1.1 200");
  }
  // Nor on a connection whose first request was good.
  using client = await Http1Client.connect(mesh.to("stranger", `web:${PORT}`));
  expect((await client.get("/public")).status).toBe(200);
  await client.peer.write("GET /private x HTTP/1.1\r\nhost: web\r\n\r\n");
  expect((await client.readResponse()).status).toBe(400);
  expect(app.requests()).toBe(before + 1);
});

test.skipIf(isDirect)("a broken file is refused with its place, and what was in force stays", async () => {
  mesh.writeConfig(
    "broken.yaml",
    "apiVersion: policy.tulle.dev/v1alpha1\nkind: Server\nmetadata: { name: web2, namespace: shop }\nspec:\n  port: [not, a, port]\n",
  );
  await mesh.controller.child().waitForOutput(/broken\.yaml/);
  expect(mesh.controller.child().output()).toMatch(/broken\.yaml:?\D*\d+/);
  expect((await ask("front")).status).toBe(200);
  expect((await ask("stranger")).status).toBe(403);
});
