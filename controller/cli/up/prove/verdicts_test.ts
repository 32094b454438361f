import { expect, test } from "bun:test";
import type { Scrape } from "../mesh_stats.ts";
import { parsePrometheusText } from "../prometheus_text.ts";
import {
  judgeAnswered,
  judgeCounted,
  judgeRefused,
  judgeShare,
  judgeSuccess,
  judgeTcp,
  judgeWire,
} from "./verdicts.ts";

function scrape(key: string, text: string): Scrape {
  return { key, workload: key.replace(/-\d+$/, ""), samples: parsePrometheusText(text, () => true) };
}

const inbound = (key: string, count: number) => scrape(key, `request_total{direction="inbound",tls="true"} ${count}\n`);

const SEEN = { tlsConnections: 3, protectedBytes: 5000, problems: [], leaked: [], seenInClear: [], unjudged: 0 };

test("judgeWire() holds only when connections were seen, without problem and without leak", () => {
  expect(judgeWire(SEEN, ["x"]).holds).toBe(true);
  expect(judgeWire({ ...SEEN, tlsConnections: 0 }, ["x"]).holds).toBe(false);
  expect(judgeWire({ ...SEEN, problems: ["a → b: not TLS"] }, ["x"])).toEqual({
    holds: false,
    evidence: "a → b: not TLS",
  });
  expect(judgeWire({ ...SEEN, leaked: ["x"] }, ["x"])).toEqual({ holds: false, evidence: "readable on the wire: x" });
});

test("judgeRefused() wants 403, PERMISSION_DENIED or silence", () => {
  const http = { kind: "http", url: "http://x/", headers: {} } as const;
  const grpc = { kind: "grpc", url: "http://x/", path: "/a/b" } as const;
  const tcp = { kind: "tcp", host: "x", port: 1, send: "PING" } as const;
  const answer = (status: number | null, text: string) => ({ status, text, error: "", headers: {} });
  expect(judgeRefused(http, answer(403, "no identity")).holds).toBe(true);
  expect(judgeRefused(http, answer(403, "")).holds).toBe(false);
  expect(judgeRefused(http, answer(503, "")).holds).toBe(false);
  expect(judgeRefused(grpc, answer(7, "no identity")).evidence).toBe("gRPC status 7: no identity");
  expect(judgeRefused(grpc, answer(14, "")).holds).toBe(false);
  expect(judgeRefused(tcp, answer(null, "")).holds).toBe(true);
  expect(judgeRefused(tcp, answer(null, "+PONG")).holds).toBe(false);
});

test("judgeCounted() wants a denial that was counted meanwhile", () => {
  const denied = (count: number) => [scrape("s/redis-0", `inbound_tcp_authz_deny_total{tls="no_identity"} ${count}\n`)];
  const refused = { holds: true, evidence: "closed" };
  expect(judgeCounted(refused, denied(2), denied(3), "s/redis-0")).toEqual({
    holds: true,
    evidence: "closed; counted as denied by the sidecar of redis-0",
  });
  expect(judgeCounted(refused, denied(2), denied(2), "s/redis-0").holds).toBe(false);
  expect(judgeCounted({ ...refused, holds: false }, denied(2), denied(3), "s/redis-0").holds).toBe(false);
});

test("judgeAnswered() wants success and all texts", () => {
  const answer = { status: 200, text: "PONG OK", error: "", headers: {} };
  expect(judgeAnswered(answer, ["PONG", "OK"]).holds).toBe(true);
  expect(judgeAnswered(answer, ["NO"]).holds).toBe(false);
  expect(judgeAnswered({ ...answer, status: 503 }, []).holds).toBe(false);
});

test("judgeShare() compares what came in between two looks", () => {
  const check = { of: ["s/c-1"], than: "s/c-0", atMostPercent: 50 };
  const before = [inbound("s/c-0", 1000), inbound("s/c-1", 5000)];
  const after = (c0: number, c1: number) => [inbound("s/c-0", 1000 + c0), inbound("s/c-1", 5000 + c1)];
  expect(judgeShare(before, after(100, 50), check)).toEqual({ holds: true, evidence: "requests: c-0 100, c-1 50" });
  expect(judgeShare(before, after(100, 51), check).holds).toBe(false);
  expect(judgeShare(before, after(10, 0), check).evidence).toContain("too few to tell");
  const silent = { holds: false, evidence: "no metrics of c-1" };
  expect(judgeShare(before, after(100, 0).slice(0, 1), check)).toEqual(silent);
  expect(judgeShare(before.slice(0, 1), after(100, 0), check)).toEqual(silent);
});

test("judgeTcp() wants connections and bytes over mutual TLS", () => {
  const text = (tls: string) =>
    `tcp_open_total{direction="inbound",peer="src",tls="${tls}"} 2\n` +
    `tcp_read_bytes_total{direction="inbound",peer="src",tls="${tls}"} 100\n`;
  expect(judgeTcp([scrape("s/redis-0", text("true"))], "s/redis-0").holds).toBe(true);
  expect(judgeTcp([scrape("s/redis-0", text("no_identity"))], "s/redis-0").holds).toBe(false);
});

test("judgeSuccess() counts what the callers saw", () => {
  const text = (good: number, bad: number) =>
    `response_total{direction="outbound",classification="success"} ${good}\n` +
    `response_total{direction="outbound",classification="failure"} ${bad}\n`;
  const judge = (good: number, bad: number) => judgeSuccess([], [scrape("s/load-0", text(good, bad))], "s/load", 95);
  expect(judge(95, 5)).toEqual({ holds: true, evidence: "95.0 % of 100 calls succeeded, at least 95 % wanted" });
  expect([judge(94, 6).holds, judge(10, 0).holds]).toEqual([false, false]);
});
