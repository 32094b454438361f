import { expect, test } from "bun:test";
import { registerProcessMetrics } from "../../src/telemetry/process_metrics.ts";
import { ProxyMetrics } from "../../src/telemetry/proxy_metrics.ts";
import { MAX_SERIES } from "../../src/telemetry/registry.ts";
import { renderMetrics } from "../../src/telemetry/render.ts";
import { checkMetrics } from "../support/promtool.ts";
import { need } from "../support/tools.ts";

const tools = need("promtool");

/** A registry in which every family has a series, some with values that need escaping, and one is full. */
function everything(): string {
  const metrics = new ProxyMetrics(() => 0);
  registerProcessMetrics(metrics.registry);
  for (const authority of ["web.shop:80", 'quote"d', "back\\slash", "line\nfeed", "ünïcode 😀", "\u0000\ud800"]) {
    const series = metrics.httpSeries({ direction: "outbound", tls: "true", authority, route: { name: authority } });
    series.onRequest();
    series.onResponse(200, 0, 3, true);
    series.onResponse(0, -1, 70_000, false, "timeout");
  }
  for (let i = 0; i <= MAX_SERIES; i++) metrics.authzDeny("http", { tls: "true", clientId: `id-${i}` }).add(1);
  const tcp = metrics.tcpSeries({ direction: "inbound", peer: "src", tls: "no_identity" });
  tcp.onOpen();
  tcp.onOpen();
  tcp.onClose("ECONNRESET");
  for (const kind of ["http", "tcp"] as const) {
    metrics.authzAllow(kind, { tls: "true" }).add(1);
    metrics.authzDeny(kind, { tls: "true" }).add(1);
    metrics.auditWouldDeny(kind, { tls: "true" }).add(1);
    metrics.auditWouldAllow(kind, { tls: "true" }).add(1);
    metrics.authzTerminate(kind, { tls: "true" }).add(1);
  }
  const policy = { kind: "RateLimitPolicy", namespace: "shop", name: "web" };
  metrics.rateLimited({ tls: "true" }, policy, "total").add(1);
  metrics.countEgress("deny", "tls", { ...policy, kind: "EgressNetwork" }, "not_resolved");
  metrics.countFault({ ...policy, kind: "FaultInjection" }, "delay");
  metrics.setLogDropped(1);
  metrics.routeNotFound({ tls: "true" }).add(1);
  for (const direction of ["inbound", "outbound"] as const) {
    metrics.countError(direction, "http", "timeout");
    metrics.countError(direction, "tcp", "connect_failed");
    metrics.detections(direction, "http/1").add(1);
    metrics.protocolConnections(direction, "opaq").add(1);
    metrics.countRefusal(direction, "too_many_resets");
  }
  metrics.countTransportHeader("ok");
  metrics.balancerEndpoints({ namespace: "shop", name: "web", port: 80 }).set(1, 0, 0, 7);
  const web = { kind: "Service", namespace: "shop", name: "web" };
  for (const outcome of ["requests", "successes", "limit_exceeded", "overflow"] as const) {
    metrics.countRetry(outcome, { parent: web, parentPort: 80, route: web });
  }
  metrics.countMirror("answered", { parent: web, parentPort: 80, route: web });
  metrics.countBreakerOpen({ namespace: "shop", name: "web", port: 80 }, "latency");
  metrics.resilience({ namespace: "shop", name: "web", port: 80 }, "zone_spill").add(1);
  metrics.countCertRefresh("ok");
  metrics.countUpdate("refused");
  metrics.countForcedClose("drain_deadline");
  metrics.accessLogDropped.add(1);
  metrics.certExpirationSeconds.set(1.8e9);
  metrics.certRefreshSeconds.set(1.7e9);
  metrics.controllerConnected.set(1);
  metrics.setTrustedRoots(["0011223344556677"]);
  metrics.setSigningRoot("0011223344556677");
  return renderMetrics(metrics.registry);
}

test.skipIf(tools === null)("promtool check metrics accepts what renderMetrics() writes", () => {
  expect(checkMetrics(tools?.promtool ?? "", everything())).toEqual([]);
});

test("every family has a series in what promtool sees", () => {
  const text = everything();
  const metrics = new ProxyMetrics(() => 0);
  const absent = metrics.registry.families.map((family) => family.name).filter((name) =>
    !text.includes(`# TYPE ${name} `)
  );
  expect(absent).toEqual([]);
});

test.skipIf(tools === null)("checkMetrics() reports text that Prometheus could not read", () => {
  expect(checkMetrics(tools?.promtool ?? "", 'a_total{x="1} 2\n')).not.toEqual([]);
});
