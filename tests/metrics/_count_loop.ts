/**
 * Counts as the data path does, as often as the first argument says; run by garbage_test.ts in a process of its own. With the
 * second argument "garbage" it makes an object each turn, which shows that collections are seen.
 */
import { ProxyMetrics } from "../../src/telemetry/proxy_metrics.ts";

const metrics = new ProxyMetrics(() => 0);
const http = metrics.httpSeries({ direction: "outbound", tls: "true", dstService: "web" });
const tcp = metrics.tcpSeries({ direction: "outbound", peer: "dst", tls: "true" });
const allow = metrics.authzAllow("http", { tls: "true" });

function turn(i: number): void {
  http.onRequest();
  http.onResponse((i & 1) === 0 ? 200 : 404, (i & 3) - 1, (i & 127) + 0.5, true);
  tcp.addRead(1500);
  tcp.addWrite(i & 1023);
  allow.add(1);
}

for (let i = 0; i < 100_000; i++) turn(i);
Bun.gc(true);
console.error("measured from here");
const turns = Number(process.argv[2]);
const isWasteful = process.argv[3] === "garbage";
let waste: object = {};
for (let i = 0; i < turns; i++) {
  turn(i);
  if (isWasteful) waste = { i, waste: [i] };
}
console.log(Object.keys(waste).length);
