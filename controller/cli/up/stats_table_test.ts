import { expect, test } from "bun:test";
import type { StatRow } from "./mesh_stats.ts";
import { renderTable } from "./stats_table.ts";

const ROW: StatRow = {
  subject: "shop/front",
  direction: "outbound",
  peer: "catalogue",
  route: "split",
  kind: "http",
  rate: 12.34,
  success: 0.9999,
  p50Ms: 1.26,
  p95Ms: 14.4,
  p99Ms: null,
  tls: 1,
  bytesRate: 0,
};

test("renderTable() aligns columns and never rounds up to 100%", () => {
  expect(renderTable([ROW, { ...ROW, subject: "a", direction: "inbound", peer: "", route: "", success: 1 }], 120))
    .toEqual([
      "WORKLOAD       PEER       ROUTE  SUCCESS    RATE    P50   P95  P99   TLS",
      "shop/front  →  catalogue  split    99.9%  12.3/s  1.3ms  14ms    -  100%",
      "a           ←                       100%  12.3/s  1.3ms  14ms    -  100%",
    ]);
});

test("renderTable() shows bytes for connections, and cuts long lines", () => {
  const [, line] = renderTable([{ ...ROW, kind: "tcp", success: null, bytesRate: 2500 }], 60);
  expect(line).toBe("shop/front  →  catalogue  split      tcp  2.5kB/s  1.3ms  14");
});
