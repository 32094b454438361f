/** What the parts say about themselves: the Prometheus text of each is right, and counts what happened. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { Http1Client, type HttpApp, reply, serveHttp } from "../support/http1.ts";
import { isDirect, type Mesh, type Part, startMesh } from "../support/mesh.ts";
import { checkMetrics } from "../support/promtool.ts";
import { sumOf } from "../support/prometheus.ts";
import { allowAccounts, server, service, workload } from "../support/resources.ts";
import { need } from "../support/tools.ts";

setDefaultTimeout(90_000);

const PORT = 8080;
const REQUESTS = 37;
const promtool = need("promtool");
let mesh: Mesh;
let app: HttpApp;

beforeAll(async () => {
  mesh = await startMesh({
    workloads: [
      workload("front", { calls: [`web:${PORT}`] }),
      workload("stranger", { calls: [`web:${PORT}`] }),
      workload("web"),
    ],
    services: [service("web", PORT, "http")],
    resources: [server("web", "web", PORT), ...allowAccounts("web", { kind: "Server", name: "web" }, ["front"])],
  });
  app = serveHttp(mesh.ip("web"), PORT, async (request, peer) => {
    await peer.write(reply(request.path === "/bad" ? 500 : 200, "ok"));
  });
  if (isDirect) return;
  using client = await Http1Client.connect(mesh.to("front", `web:${PORT}`));
  for (let turn = 0; turn < REQUESTS; turn++) await client.get("/");
  await client.get("/bad");
  using stranger = await Http1Client.connect(mesh.to("stranger", `web:${PORT}`));
  await stranger.get("/");
});

afterAll(async () => {
  app?.[Symbol.dispose]();
  await mesh?.[Symbol.asyncDispose]();
});

const PARTS: readonly [string, () => Part][] = [
  ["controller", () => mesh.controller],
  ["client's sidecar", () => mesh.sidecar("front")],
  ["server's sidecar", () => mesh.sidecar("web")],
];

for (const [name, part] of PARTS) {
  test.skipIf(isDirect || promtool === null)(
    `promtool finds nothing wrong with the metrics of the ${name}`,
    async () => {
      const text = await part().metrics();
      expect(text.length).toBeGreaterThan(200);
      expect(checkMetrics(promtool?.promtool ?? "", text)).toEqual([]);
    },
  );
}

test.skipIf(isDirect)("both sidecars count the requests, as mutual TLS, with their status", async () => {
  const front = await mesh.sidecar("front").metrics();
  const web = await mesh.sidecar("web").metrics();
  expect(sumOf(front, "request_total", { direction: "outbound", tls: "true" })).toBe(REQUESTS + 1);
  expect(sumOf(front, "response_total", { direction: "outbound", status_code: "200" })).toBe(REQUESTS);
  expect(sumOf(front, "response_total", { direction: "outbound", classification: "failure" })).toBe(1);
  expect(sumOf(web, "response_total", { direction: "inbound", status_code: "200", tls: "true" })).toBe(REQUESTS);
  expect(sumOf(web, "response_latency_ms_count", { direction: "inbound" })).toBeGreaterThanOrEqual(REQUESTS + 1);
});

test.skipIf(isDirect)("a refusal is counted with its policy", async () => {
  const web = await mesh.sidecar("web").metrics();
  expect(sumOf(web, "inbound_http_authz_deny_total", {})).toBe(1);
  expect(sumOf(web, "inbound_http_authz_allow_total", {})).toBe(REQUESTS + 1);
});

test.skipIf(isDirect)("each part says that it is ready and alive", async () => {
  for (const [, part] of PARTS) {
    for (const path of ["/ready", "/live"]) expect((await fetch(part().adminUrl + path)).status).toBe(200);
  }
});
