import { expect, test } from "bun:test";
import { MeshStats, type Scrape, totalRows } from "./mesh_stats.ts";
import { parsePrometheusText } from "./prometheus_text.ts";

function scrape(key: string, text: string): Scrape {
  return { key, workload: key.replace(/-\d+$/, ""), samples: parsePrometheusText(text, () => true) };
}

const requests = (count: number, failed: number) => `
request_total{direction="outbound",tls="true",dst_service="web",route_name="r"} ${count}
response_total{direction="outbound",tls="true",dst_service="web",route_name="r",classification="success"} ${
  count - failed
}
response_total{direction="outbound",tls="true",dst_service="web",route_name="r",classification="failure"} ${failed}
response_latency_ms_bucket{direction="outbound",tls="true",dst_service="web",route_name="r",le="10"} ${count}
response_latency_ms_bucket{direction="outbound",tls="true",dst_service="web",route_name="r",le="+Inf"} ${count}
`;

test("look() gives what happened since the last look, added up over the instances of a workload", () => {
  const stats = new MeshStats();
  stats.look([scrape("shop/front-0", requests(100, 0)), scrape("shop/front-1", requests(100, 0))], 1000);
  const rows = stats.look([scrape("shop/front-0", requests(110, 2)), scrape("shop/front-1", requests(110, 3))], 3000);
  expect(rows).toEqual([{
    subject: "shop/front",
    direction: "outbound",
    peer: "web",
    route: "r",
    kind: "http",
    rate: 10,
    success: 0.75,
    p50Ms: 5,
    p95Ms: 9.5,
    p99Ms: 9.9,
    tls: 1,
    bytesRate: 0,
  }]);
});

test("look() counts from zero when a sidecar was started again", () => {
  const stats = new MeshStats();
  stats.look([scrape("shop/front-0", requests(100, 0))], 1000);
  const [row] = stats.look([scrape("shop/front-0", requests(4, 0))], 2000);
  expect(row?.rate).toBe(4);
});

test("look() shows opaque connections by their bytes, seen between the sidecars only", () => {
  const text = `
tcp_open_total{direction="inbound",peer="src",tls="true"} 3
tcp_open_total{direction="inbound",peer="dst",tls=""} 3
tcp_read_bytes_total{direction="inbound",peer="src",tls="true"} 600
tcp_write_bytes_total{direction="inbound",peer="src",tls="true"} 400
tcp_read_bytes_total{direction="inbound",peer="dst"} 99999
`;
  const [row, ...more] = totalRows([scrape("shop/redis-0", text)], 10);
  expect(more).toEqual([]);
  expect(row).toMatchObject({ subject: "shop/redis-0", kind: "tcp", rate: 0.3, bytesRate: 100, tls: 1 });
});

test("look() shows connections of one peer once: as requests where there are any", () => {
  const text = `
request_total{direction="outbound",tls="true",dst_service="web",route_kind="HTTPRoute",route_name="split"} 5
request_total{direction="outbound",tls="true",dst_service="api",route_kind="Service",route_name="api"} 5
tcp_open_total{direction="outbound",peer="src",tls="loopback",dst_service="web"} 1
tcp_open_total{direction="outbound",peer="src",tls="loopback",dst_service="redis"} 2
tcp_read_bytes_total{direction="outbound",peer="src",tls="loopback",dst_service="redis"} 50
`;
  const rows = totalRows([scrape("shop/front-0", text)], 1);
  expect(rows.map(({ peer, route, kind, tls }) => [peer, route, kind, tls])).toEqual([
    ["api", "", "http", 1],
    ["redis", "", "tcp", null],
    ["web", "split", "http", 1],
  ]);
});

test("look() shows how much of the traffic was over mutual TLS", () => {
  const text =
    'request_total{direction="inbound",tls="true"} 3\nrequest_total{direction="inbound",tls="no_identity"} 1\n';
  expect(totalRows([scrape("shop/web-0", text)], 1)[0]?.tls).toBe(0.75);
});
