import { expect, test } from "bun:test";
import { NO_RESOURCE } from "../../model/resource.ts";
import type { Backend, Endpoint } from "../../model/outbound.ts";
import { pick } from "./balance_p2c.ts";
import { EndpointState } from "./endpoint_state.ts";
import { unsent } from "./failure.ts";

const credentials = {
  onCut() {},
  clientTls: () => null,
  verifyPeer: () => ({ ok: false, code: "none", reason: "" }) as const,
};

function state(ip: string): EndpointState {
  const endpoint: Endpoint = {
    ip,
    port: 80,
    key: `${ip}:80`,
    identity: "",
    meshPort: 0,
    zone: "",
    weight: 1,
    workload: "",
  };
  const backend: Backend = {
    ref: NO_RESOURCE,
    port: 80,
    protocol: "detect",
    endpoints: [endpoint],
    defaultRttMs: 30,
    decayMs: 10_000,
    resilience: null,
    breaker: { consecutiveFailures: 7, minPenaltyMs: 1000, maxPenaltyMs: 60_000 },
    key: ip,
  };
  return new EndpointState(endpoint, backend, false, "t", credentials, 0);
}

test("load() of an endpoint that was never used draws one request, not a stampede", () => {
  const known = state("10.0.0.1");
  const fresh = state("10.0.0.2");
  known.ewma.observe(2, 0);
  expect(pick([known, fresh], 1, Math.random)).toBe(fresh);
  fresh.pending = 1;
  expect(pick([known, fresh], 1, Math.random)).toBe(known);
});

test("load() of an endpoint that was slow draws one request when nothing was heard of it for the time of its decay", () => {
  const [busy, slow] = [state("10.0.0.1"), state("10.0.0.2")];
  busy.ewma.observe(5, 0);
  slow.ewma.atLeast(10_000, 0); // it was stuck
  for (let now = 1_000; now < 10_000; now += 1_000) {
    busy.ewma.observe(5, now);
    expect(pick([busy, slow], now, Math.random)).toBe(busy);
  }
  expect(pick([busy, slow], 10_000, Math.random)).toBe(slow);
  slow.pending = 1;
  expect(pick([busy, slow], 10_001, Math.random)).toBe(busy);
  slow.pending = 0;
  slow.ewma.observe(4, 10_004); // it is well
  expect(slow.load(10_005)).toBeLessThan(busy.load(10_005));
});

test("two equal endpoints share the requests of one sequential client", () => {
  const both = [state("10.0.0.1"), state("10.0.0.2")];
  const counts = new Map<EndpointState, number>();
  for (let now = 0; now < 10_000; now += 50) {
    const chosen = pick(both, now, Math.random) as EndpointState; // there are two
    chosen.ewma.observe(2 + Math.random(), now);
    counts.set(chosen, (counts.get(chosen) ?? 0) + 1);
  }
  for (const one of both) expect(counts.get(one) ?? 0).toBeGreaterThan(40);
});

test("load() of an endpoint that has stopped answering grows with its silence, until it answers", () => {
  const [stuck, slower] = [state("10.0.0.1"), state("10.0.0.2")];
  stuck.ewma.observe(2, 0);
  slower.ewma.observe(50, 0);
  stuck.pending = stuck.unanswered = 1;
  stuck.silentSinceMs = 0;
  expect(pick([stuck, slower], 10, Math.random)).toBe(stuck);
  expect(pick([stuck, slower], 1000, Math.random)).toBe(slower);
  stuck.answered(1000);
  expect(pick([stuck, slower], 1001, Math.random)).toBe(stuck);
});

test("load() of an endpoint that is on probation draws its one request, however slow its failures were", () => {
  const [well, failed] = [state("10.0.0.1"), state("10.0.0.2")];
  for (let i = 0; i < 7; i++) failed.breaker.onFailure(0, 0);
  failed.ewma.observe(5_000, 0);
  well.ewma.observe(2, 0);
  expect(pick([well, failed], 999, Math.random)).toBe(well); // its penalty is not over
  expect(pick([well, failed], 1_000, Math.random)).toBe(failed);
  failed.breaker.onRequest(1_000);
  expect(pick([well, failed], 1_001, Math.random)).toBe(well);
});

test("onBack() lets an endpoint that could not be reached start as a new one does", () => {
  const one = state("10.0.0.1");
  one.ewma.observe(900, 0);
  one.onUnreached(unsent("connect_failed", "refused"), 10, 0);
  expect([one.admits(11), one.warmingSinceMs]).toEqual([false, -1]);
  one.onBack(4, 5_000);
  expect([one.admits(5_000), one.ewma.value(5_000), one.warmingSinceMs]).toEqual([true, 4, 5_000]);
});
