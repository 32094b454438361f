import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { expect, test } from "bun:test";
import fc from "fast-check";
import { OutboundTargetSchema, Protocol } from "../../proto/gen/tulle/discovery/v1/discovery_pb.ts";
import type { OutboundTarget } from "../model/outbound.ts";
import type { Result } from "../base/result.ts";
import { decodeOutbound } from "./decode_outbound.ts";

type Init = MessageInitShape<typeof OutboundTargetSchema>;

const KEY = "10.96.0.1:80";
const FRONT = "spiffe://cluster.local/ns/shop/sa/front";
const seconds = (n: number) => ({ seconds: BigInt(n), nanos: 0 });

function decode(init: Init): Result<OutboundTarget> {
  return decodeOutbound(KEY, "v1", toBinary(OutboundTargetSchema, create(OutboundTargetSchema, init)));
}

const endpoint = { ip: Uint8Array.of(10, 1, 2, 3), port: 8080 };
const backend = { backend: { kind: "Service", namespace: "shop", name: "web" }, port: 80, endpoints: [endpoint] };

test("decodeOutbound() reads every field", () => {
  const result = decode({
    known: true,
    parent: { group: "core", kind: "Service", namespace: "shop", name: "web", section: "80" },
    authority: "web.shop.svc.cluster.local:80",
    port: 80,
    protocol: Protocol.GRPC,
    backends: [{
      ...backend,
      protocol: Protocol.HTTP2,
      endpoints: [
        {
          ...endpoint,
          identity: FRONT,
          meshPort: 4143,
          zone: "a",
          weight: 3,
          workload: { namespace: "shop", name: "web-0" },
        },
        { ip: Uint8Array.of(0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1), port: 81 },
      ],
      loadBalancer: { defaultRtt: { seconds: 0n, nanos: 5_000_000 }, decay: seconds(3) },
      breaker: { consecutiveFailures: 7, minPenalty: seconds(2), maxPenalty: seconds(4) },
    }],
    routes: [{
      route: { kind: "HTTPRoute", namespace: "shop", name: "r" },
      hostnames: ["Web.Shop", "*.example.org."],
      matches: [{
        path: { kind: { case: "prefix", value: "/caf\u00e9/" } },
        method: "GET",
        headers: [
          { name: "X-A", kind: { case: "exact", value: "\u00e9" } },
          { name: "x-a", kind: { case: "exact", value: "ignored: the first entry of a name counts" } },
        ],
        query: [{ name: "q", kind: { case: "regex", value: "a+" } }],
      }],
      backends: [{ backend: 0, weight: 9 }, { backend: 5, weight: 1 }],
      requestTimeout: seconds(10),
      backendTimeout: seconds(1),
      retry: {
        limit: 2,
        statusCodes: [502, 503],
        grpcCodes: [4, 14],
        connectionError: true,
        backoff: { nanos: 50_000_000 },
      },
      requestHeaders: { set: [{ name: "A", value: "1" }], add: [{ name: "b", value: "2" }], remove: ["C"] },
      responseHeaders: { remove: ["server"] },
    }],
  });
  if (!result.ok) throw new Error(result.error);
  const target = result.value;
  const route = target.routes[0];
  expect({ ...target, routes: [], backends: [] }).toEqual({
    key: KEY,
    version: "v1",
    known: true,
    parent: { group: "core", kind: "Service", namespace: "shop", name: "web", section: "80" },
    authority: "web.shop.svc.cluster.local:80",
    port: 80,
    protocol: "grpc",
    routes: [],
    backends: [],
    streamRoutes: [],
    egress: null,
  });
  expect(target.backends).toEqual([{
    ref: { group: "", kind: "Service", namespace: "shop", name: "web", section: "" },
    port: 80,
    protocol: "http2",
    endpoints: [
      {
        ip: "10.1.2.3",
        port: 8080,
        key: "10.1.2.3:8080",
        identity: FRONT,
        meshPort: 4143,
        zone: "a",
        weight: 3,
        workload: "shop/web-0",
      },
      { ip: "fd00::1", port: 81, key: "[fd00::1]:81", identity: "", meshPort: 0, zone: "", weight: 1, workload: "" },
    ],
    defaultRttMs: 5,
    decayMs: 3000,
    resilience: null,
    breaker: { consecutiveFailures: 7, minPenaltyMs: 2000, maxPenaltyMs: 4000 },
    key: "/Service/shop/web/:80",
  }]);
  expect(route).toMatchObject({
    ref: { kind: "HTTPRoute", namespace: "shop", name: "r" },
    hostnames: ["web.shop", "*.example.org"],
    backends: [{ backend: target.backends[0], weight: 9 }, { backend: null, weight: 1 }],
    totalWeight: 10,
    requestTimeoutMs: 10_000,
    backendTimeoutMs: 1000,
    retry: {
      limit: 2,
      statusCodes: new Set([502, 503]),
      grpcStatuses: (1 << 4) | (1 << 14),
      connectionError: true,
      backoffMs: 50,
    },
    requestHeaders: { set: ["a", "1"], add: ["b", "2"], remove: ["c"] },
    responseHeaders: { set: [], add: [], remove: ["server"] },
  });
  expect(route?.matches[0]).toMatchObject({
    path: { kind: "prefix", value: "/caf%C3%A9" },
    method: "GET",
    headers: [{ kind: "exact", name: "x-a", value: "\xc3\xa9" }],
    query: [{ kind: "regex", name: "q" }],
  });
  expect(route?.matches[0]?.query[0]?.pattern?.test("aa")).toBe(true);
});

test("decodeOutbound() reads an unknown target and the defaults", () => {
  const unknown = decode({});
  expect(unknown).toMatchObject({ ok: true, value: { known: false, protocol: "detect", routes: [], backends: [] } });
  const known = decode({ known: true, port: 80, protocol: 77 as Protocol, backends: [backend] });
  expect(known).toMatchObject({
    ok: true,
    value: {
      protocol: "detect",
      backends: [{ defaultRttMs: 30, decayMs: 10_000, breaker: { consecutiveFailures: 0 } }],
    },
  });
});

const refused: readonly (readonly [Init, string])[] = [
  [{ known: true }, "outbound.port: found 0"],
  [{ port: 70_000 }, "outbound.port: found 70000, want 0–65535"],
  [
    { backends: [{ endpoints: [{ ip: Uint8Array.of(1, 2), port: 1 }] }] },
    "outbound.backends[0].endpoints[0].ip: found 2 bytes",
  ],
  [{ backends: [{ endpoints: [{ ip: endpoint.ip }] }] }, "outbound.backends[0].endpoints[0].port: found 0"],
  [
    { backends: [{ endpoints: [{ ...endpoint, identity: "front", meshPort: 1 }] }] },
    'outbound.backends[0].endpoints[0].identity: found "front"',
  ],
  [
    { backends: [{ endpoints: [endpoint, { ...endpoint, identity: FRONT }] }] },
    "outbound.backends[0].endpoints[1].mesh_port: found 0",
  ],
  [{ backends: [{ loadBalancer: { decay: seconds(0) } }] }, "outbound.backends[0].load_balancer.decay"],
  [
    { backends: [{ breaker: { minPenalty: seconds(9), maxPenalty: seconds(1) } }] },
    "outbound.backends[0].breaker.max_penalty",
  ],
  [{ routes: [{}, { hostnames: ["a b"] }] }, 'outbound.routes[1].hostnames[0]: found "a b"'],
  [
    { routes: [{ matches: [{ path: { kind: { case: "exact", value: "a" } } }] }] },
    'outbound.routes[0].matches[0].path.exact: found "a"',
  ],
  [
    { routes: [{ matches: [{ path: { kind: { case: "regex", value: "(" } } }] }] },
    'outbound.routes[0].matches[0].path.regex: found "("',
  ],
  [
    { routes: [{ matches: [{ headers: [{ name: "a b" }] }] }] },
    'outbound.routes[0].matches[0].headers[0].name: found "a b"',
  ],
  [{ routes: [{ matches: [{ method: "G T" }] }] }, "outbound.routes[0].matches[0].method"],
  [{ routes: [{ requestTimeout: seconds(-1) }] }, "outbound.routes[0].request_timeout: found -1000"],
  [{ routes: [{ retry: { limit: 99 } }] }, "outbound.routes[0].retry.limit: found 99, want 0–10"],
  [{ routes: [{ retry: { statusCodes: [200] } }] }, "outbound.routes[0].retry.status_codes[0]: found 200"],
  [{ routes: [{ backends: [{ weight: 2_000_000 }] }] }, "outbound.routes[0].backends[0].weight"],
  [
    { routes: [{ requestHeaders: { set: [{ name: "Host", value: "x" }] } }] },
    'outbound.routes[0].request_headers.set[0].name: found "Host"',
  ],
  [{ routes: [{ requestHeaders: { remove: ["content-length"] } }] }, "outbound.routes[0].request_headers.remove[0]"],
  [
    { routes: [{ responseHeaders: { add: [{ name: "a", value: "1\r\nx: 2" }] } }] },
    "outbound.routes[0].response_headers.add[0].value",
  ],
];

test.each(refused.map(([init, error]) => [error, init] as const))("decodeOutbound() refuses with %s", (error, init) => {
  const result = decode(init);
  expect(result.ok ? "accepted" : result.error).toStartWith(error);
});

test("decodeOutbound() gives a target or an error for any bytes", () => {
  const whole = toBinary(
    OutboundTargetSchema,
    create(OutboundTargetSchema, { known: true, port: 1, backends: [backend] }),
  );
  const damaged = fc.tuple(fc.nat(whole.length - 1), fc.nat(255)).map(([at, byte]) => whole.with(at, byte));
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 80 }), damaged), (bytes) => {
      expect(typeof decodeOutbound(KEY, "v", bytes).ok).toBe("boolean");
    }),
    { numRuns: 2000 },
  );
});
