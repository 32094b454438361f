import { expect, test } from "bun:test";
import { RETAIN_IDLE_MS } from "./idle.ts";
import { NO_GRPC_STATUS } from "./http_series.ts";
import { ProxyMetrics } from "./proxy_metrics.ts";
import type { ConnectionLabels, RequestLabels } from "./proxy_labels.ts";
import { renderMetrics } from "./render.ts";

const OUT: RequestLabels = { direction: "outbound", tls: "true", dstService: "web" };
const TCP: ConnectionLabels = { direction: "inbound", peer: "src", tls: "true" };

function fixture() {
  const clock = { ms: 0 };
  const metrics = new ProxyMetrics(() => clock.ms);
  const lines = (start: string) => renderMetrics(metrics.registry).split("\n").filter((line) => line.startsWith(start));
  return { clock, metrics, lines };
}

test("HttpSeries counts requests, responses by outcome, and latency", () => {
  const { metrics, lines } = fixture();
  const series = metrics.httpSeries(OUT);
  for (let i = 0; i < 4; i++) series.onRequest();
  series.onResponse(200, NO_GRPC_STATUS, 2.5, true);
  series.onResponse(200, 0, 2.5, true);
  series.onResponse(200, NO_GRPC_STATUS, 700, true);
  series.onResponse(503, NO_GRPC_STATUS, 0.1, false, "no_endpoints");
  const labels = 'direction="outbound",tls="true",dst_service="web"';
  expect(lines("request_total")).toEqual([`request_total{${labels}} 4`]);
  expect(lines("response_total")).toEqual([
    `response_total{${labels},status_code="200",classification="success"} 2`,
    `response_total{${labels},status_code="200",classification="success",grpc_status="0"} 1`,
    `response_total{${labels},status_code="503",classification="failure",error="no_endpoints"} 1`,
  ]);
  expect(lines("response_latency_ms_sum")).toEqual([`response_latency_ms_sum{${labels}} 705.1`]);
  expect(lines(`response_latency_ms_bucket{${labels},le="3"}`)).toEqual([
    `response_latency_ms_bucket{${labels},le="3"} 3`,
  ]);
});

test.each([[0, '"0"'], [16, '"16"'], [17, '"2"'], [4_000_000_000, '"2"']])(
  "onResponse() writes gRPC status %p as %s",
  (status, expected) => {
    const { metrics, lines } = fixture();
    metrics.httpSeries(OUT).onResponse(200, status, 1, true);
    expect(lines("response_total")[0]).toContain(`grpc_status=${expected}`);
  },
);

test("httpSeries() gives the same object for equal labels", () => {
  const { metrics } = fixture();
  expect(metrics.httpSeries(OUT)).toBe(metrics.httpSeries({ ...OUT }));
});

test("series disappear when idle and start again from 0", () => {
  const { clock, metrics, lines } = fixture();
  const series = metrics.httpSeries(OUT);
  series.onRequest();
  series.onResponse(200, NO_GRPC_STATUS, 1, true);
  expect(lines("re")).not.toEqual([]);
  clock.ms = RETAIN_IDLE_MS - 1;
  expect(lines("re")).not.toEqual([]);
  clock.ms = RETAIN_IDLE_MS;
  expect(lines("re")).toEqual([]);
  series.onRequest();
  expect(lines("request_total")[0]).toEndWith(" 1");
});

test("series stay while they are used", () => {
  const { clock, metrics, lines } = fixture();
  const series = metrics.httpSeries(OUT);
  for (let i = 0; i < 5; i++) {
    series.onRequest();
    expect(lines("request_total")[0]).toEndWith(` ${i + 1}`);
    clock.ms += RETAIN_IDLE_MS - 1;
  }
});

test("TcpSeries shows open connections, bytes, and ends by reason", () => {
  const { metrics, lines } = fixture();
  const series = metrics.tcpSeries(TCP);
  for (let i = 0; i < 3; i++) series.onOpen();
  series.addRead(10);
  series.addRead(5);
  series.addWrite(7);
  series.onClose();
  series.onClose("ECONNRESET");
  const labels = 'direction="inbound",peer="src",tls="true"';
  expect(lines("tcp_")).toEqual([
    `tcp_open_total{${labels}} 3`,
    `tcp_close_total{${labels},classification="success"} 1`,
    `tcp_close_total{${labels},classification="failure",errno="ECONNRESET"} 1`,
    `tcp_open_connections{${labels}} 1`,
    `tcp_read_bytes_total{${labels}} 15`,
    `tcp_write_bytes_total{${labels}} 7`,
  ]);
});

test("TcpSeries stays while a connection is open, however quiet", () => {
  const { clock, metrics, lines } = fixture();
  const series = metrics.tcpSeries(TCP);
  series.onOpen();
  for (let i = 0; i < 3; i++) {
    clock.ms += RETAIN_IDLE_MS * 2;
    expect(lines("tcp_open_connections")[0]).toEndWith(" 1");
  }
  series.onClose();
  lines("tcp");
  clock.ms += RETAIN_IDLE_MS;
  expect(lines("tcp")).toEqual([]);
});

test("balancerEndpoints() shows both states until it is closed", () => {
  const { metrics, lines } = fixture();
  const gauges = metrics.balancerEndpoints({ namespace: "shop", name: "web", port: 80 });
  gauges.set(2, 1, 0, Infinity);
  expect(lines("outbound_http_balancer_endpoints").map((line) => line.split(",").at(-1))).toEqual([
    'endpoint_state="ready"} 2',
    'endpoint_state="pending"} 1',
  ]);
  gauges.close();
  expect(lines("outbound_http_balancer_endpoints")).toEqual([]);
});

test("authzAllow() and authzDeny() count under their own names", () => {
  const { metrics, lines } = fixture();
  metrics.authzAllow("http", { tls: "true", authz: { kind: "authorizationpolicy", name: "front" } }).add(1);
  metrics.authzDeny("tcp", { tls: "no_identity" }).add(2);
  expect(lines("inbound_")).toEqual([
    'inbound_http_authz_allow_total{tls="true",authz_kind="authorizationpolicy",authz_name="front"} 1',
    'inbound_tcp_authz_deny_total{tls="no_identity"} 2',
  ]);
});
