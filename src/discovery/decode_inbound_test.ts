import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { expect, test } from "bun:test";
import fc from "fast-check";
import {
  Action,
  DefaultPolicy,
  InboundWorkloadSchema,
  Mode,
  Protocol,
} from "../../proto/gen/tulle/discovery/v1/discovery_pb.ts";
import type { InboundPolicy } from "../model/inbound.ts";
import { blockContains, parseIp } from "../model/ip.ts";
import type { Result } from "../base/result.ts";
import { decodeInbound } from "./decode_inbound.ts";

/** Init shapes, without whole messages. */
type Init = Extract<MessageInitShape<typeof InboundWorkloadSchema>, { $typeName?: never }>;

const base: Init = {
  workload: { namespace: "shop", name: "web-0" },
  identity: "spiffe://cluster.local/ns/shop/sa/web",
  defaultPolicy: DefaultPolicy.ALL_UNAUTHENTICATED,
};
const server = { kind: "Server", namespace: "shop", name: "web" };

function decode(init: Init): Result<InboundPolicy> {
  return decodeInbound("v1", toBinary(InboundWorkloadSchema, create(InboundWorkloadSchema, { ...base, ...init })));
}

/** One authorization on one port. */
function withAuthentication(
  ...kinds: NonNullable<NonNullable<NonNullable<Init["ports"]>[number]["authorizations"]>[number]["authentications"]>
): Init {
  return { ports: [{ port: 80, authorizations: [{ action: Action.ALLOW, authentications: kinds }] }] };
}

test("decodeInbound() reads every field", () => {
  const policy = { kind: "AuthorizationPolicy", namespace: "shop", name: "p" };
  const result = decode({
    clusterNetworks: ["10.0.0.0/8", "fd00::/8"],
    defaultPolicy: DefaultPolicy.CLUSTER_AUTHENTICATED,
    ports: [
      {
        port: 80,
        protocol: Protocol.HTTP1,
        server,
        defaultPolicy: DefaultPolicy.AUDIT,
        authorizations: [{
          policy,
          action: Action.DENY,
          mode: Mode.AUDIT,
          authentications: [
            {
              source: { kind: "MeshTLSAuthentication", name: "m" },
              kind: { case: "meshTls", value: { identities: ["*", "spiffe://td/ns/a/*", "spiffe://td/x"] } },
            },
            { kind: { case: "networks", value: { networks: [{ cidr: "10.0.0.0/8", except: ["10.1.0.0/16"] }] } } },
          ],
        }],
        routes: [{
          route: { kind: "HTTPRoute", name: "r" },
          hostnames: ["a.b"],
          matches: [{ method: "GET" }],
          authorizations: [{ policy, action: Action.ALLOW }],
        }],
      },
      { port: 81, server },
      { port: 82 },
    ],
    denials: [{ policy, action: Action.DENY }],
  });
  if (!result.ok) throw new Error(result.error);
  const { ports, ...rest } = result.value;
  const inside = (ip: string) => rest.clusterNetworks.map((block) => blockContains(block, parseIp(ip) as never));
  expect([rest.version, rest.workload, rest.identity, rest.defaultPolicy]).toEqual(
    ["v1", "shop/web-0", "spiffe://cluster.local/ns/shop/sa/web", "cluster-authenticated"],
  );
  expect(rest.denials).toEqual([
    { policy: expect.objectContaining(policy), action: "deny", mode: "enforce", authentications: [] },
  ]);
  expect([inside("10.9.9.9"), inside("fd11::1")]).toEqual([[true, false], [false, true]]);
  expect(ports.get(80)).toMatchObject({
    protocol: "http1",
    server,
    defaultPolicy: "audit",
    authorizations: [{
      policy,
      action: "deny",
      mode: "audit",
      authentications: [
        { kind: "mesh_tls", source: { name: "m" }, identities: ["*", "spiffe://td/ns/a/*", "spiffe://td/x"] },
        { kind: "networks", networks: [{ except: [{ prefixBits: 112 }] }] },
      ],
    }],
    routes: [{
      hostnames: ["a.b"],
      matches: [{ method: "GET" }],
      authorizations: [{ action: "allow", mode: "enforce" }],
    }],
  });
  // Without a default of its own: deny where a Server selects the port, the workload's otherwise.
  expect([ports.get(81)?.defaultPolicy, ports.get(82)?.defaultPolicy]).toEqual(["deny", "cluster-authenticated"]);
});

test.each<[string, Init, string]>([
  ["no workload", { workload: {} }, "inbound.workload: found nothing"],
  ["a bad identity", { identity: "web" }, 'inbound.identity: found "web"'],
  ["no default", { defaultPolicy: DefaultPolicy.UNSPECIFIED }, "inbound.default_policy: found UNSPECIFIED"],
  ["a default of the future", { defaultPolicy: 99 as DefaultPolicy }, "inbound.default_policy: found 99, want 0–6"],
  [
    "a bad network",
    { clusterNetworks: ["10.0.0.0/8", "10.0.0.0/99"] },
    'inbound.cluster_networks[1]: found "10.0.0.0/99"',
  ],
  ["port 0", { ports: [{}] }, "inbound.ports[0].port: found 0"],
  ["a port twice", { ports: [{ port: 80 }, { port: 80 }] }, "inbound.ports: found port 80 twice"],
  ["no action", { ports: [{ port: 80, authorizations: [{}] }] }, "inbound.ports[0].authorizations[0].action: found 0"],
  [
    "a mode of the future",
    { ports: [{ port: 80, authorizations: [{ action: 1, mode: 9 as Mode }] }] },
    "inbound.ports[0].authorizations[0].mode: found 9",
  ],
  [
    "an authentication of no kind",
    withAuthentication({}),
    "inbound.ports[0].authorizations[0].authentications[0]: found no kind",
  ],
  [
    "a star in the middle",
    withAuthentication({ kind: { case: "meshTls", value: { identities: ["*", "spiffe://*/x"] } } }),
    'inbound.ports[0].authorizations[0].authentications[0].mesh_tls.identities[1]: found "spiffe://*/x"',
  ],
  [
    "a bad exception",
    withAuthentication({ kind: { case: "networks", value: { networks: [{ cidr: "::/0", except: ["x"] }] } } }),
    'inbound.ports[0].authorizations[0].authentications[0].networks.networks[0].except[0]: found "x"',
  ],
  [
    "a network without a block",
    withAuthentication({ kind: { case: "networks", value: { networks: [{}] } } }),
    "inbound.ports[0].authorizations[0].authentications[0].networks.networks[0].cidr: found nothing",
  ],
])("decodeInbound() refuses %s", (_what, init, error) => {
  const result = decode(init);
  expect(result.ok ? "accepted" : result.error).toStartWith(error);
});

test("decodeInbound() gives a policy or an error for any damage", () => {
  const whole = toBinary(
    InboundWorkloadSchema,
    create(InboundWorkloadSchema, { ...base, ports: [{ port: 80, server }] }),
  );
  const damage = fc.tuple(fc.nat(whole.length - 1), fc.nat(255)).map(([at, byte]) => whole.with(at, byte));
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 80 }), damage), (bytes) => {
      expect(typeof decodeInbound("v", bytes).ok).toBe("boolean");
    }),
    { numRuns: 2000 },
  );
});
