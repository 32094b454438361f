import { expect, test } from "bun:test";
import type { Backend, Endpoint, OutboundTarget } from "../../model/outbound.ts";
import { NO_RESOURCE } from "../../model/resource.ts";
import { Upstreams } from "./upstreams.ts";

const credentials = {
  clientTls: () => null,
  verifyPeer: () => ({ ok: false, code: "none", reason: "" }) as const,
  onCut: () => {},
};

function endpoint(ip: string): Endpoint {
  return { ip, port: 80, key: `${ip}:80`, identity: "", meshPort: 0, zone: "", weight: 1, workload: "" };
}

const backend: Backend = {
  ref: NO_RESOURCE,
  port: 80,
  protocol: "detect",
  endpoints: [endpoint("10.0.0.1"), endpoint("10.0.0.2")],
  defaultRttMs: 30,
  decayMs: 10_000,
  resilience: null,
  breaker: { consecutiveFailures: 3, minPenaltyMs: 1000, maxPenaltyMs: 1000 },
  key: "web",
};
const target: OutboundTarget = {
  key: "10.96.0.1:80",
  version: "1",
  known: true,
  parent: NO_RESOURCE,
  authority: "web.shop:80",
  port: 80,
  protocol: "detect",
  routes: [],
  backends: [backend],
  streamRoutes: [],
  egress: null,
};

test("what one thread finds out about an endpoint spares the others its failures, each by its own clock", () => {
  const clocks = [5_000, 90_000];
  const threads = clocks.map((_, at) => new Upstreams(credentials, new Set(), () => clocks[at] ?? 0, () => 0));
  const [a, b] = threads as [Upstreams, Upstreams]; // as many as clocks
  a.onTrip = (trip) => b.adopt(trip);
  b.onTrip = (trip) => a.adopt(trip);
  for (const thread of threads) thread.replace(target);
  const bad = (thread: Upstreams) => [...thread.all()][0];
  for (let i = 0; i < 3; i++) bad(a)?.breaker.onFailure(clocks[0] ?? 0, 0);
  expect([bad(a)?.breaker.isOpen, bad(b)?.breaker.isOpen]).toEqual([true, true]);
  for (let i = 0; i < 20; i++) expect(b.pick(backend, null)?.endpoint.ip).toBe("10.0.0.2");
  clocks[1] = 90_999;
  expect(bad(b)?.admits(90_999)).toBe(false);
  expect(bad(b)?.admits(91_000)).toBe(true);
  // The one that probes successfully says so.
  bad(b)?.breaker.onRequest(91_000);
  bad(b)?.breaker.onSuccess(0, 0, 0);
  expect([bad(a)?.breaker.isOpen, bad(b)?.breaker.isOpen]).toEqual([false, false]);
});
