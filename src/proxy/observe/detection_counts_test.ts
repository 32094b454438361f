import { expect, test } from "bun:test";
import { ProxyMetrics } from "../../telemetry/proxy_metrics.ts";
import { renderMetrics } from "../../telemetry/render.ts";
import { DetectionCounts } from "./detection_counts.ts";

test("DetectionCounts counts results, and protocols of what was recognised", () => {
  const metrics = new ProxyMetrics(() => 0);
  const counts = new DetectionCounts(metrics, "outbound");
  for (const detected of ["http/1", "http/1", "server_first", "closed"] as const) counts.add(detected);
  const lines = renderMetrics(metrics.registry).split("\n").filter((line) => line.startsWith("outbound_tcp_"));
  expect(lines.sort()).toEqual([
    'outbound_tcp_detect_http_results_total{result="error"} 1',
    'outbound_tcp_detect_http_results_total{result="http/1"} 2',
    'outbound_tcp_detect_http_results_total{result="server_first"} 1',
    'outbound_tcp_protocol_connections_total{protocol="http/1"} 2',
    'outbound_tcp_protocol_connections_total{protocol="opaq"} 1',
  ]);
});
