import { expect, test } from "bun:test";
import type { Authorization, DefaultPolicy, InboundPolicy, InboundRoute } from "../../model/inbound.ts";
import { parseBlock } from "../../model/ip.ts";
import { NO_RESOURCE } from "../../model/resource.ts";
import { type HeaderBlock, headerBlock } from "../../wire/header_block.ts";
import { authorizeConnection, authorizeRequest, compileInbound } from "./authorize.ts";

const NODE = { ip: "10.9.0.1", identity: null };
const ELSEWHERE = { ip: "10.8.0.1", identity: null };
const PEER = { ip: "10.9.0.1", identity: "spiffe://cluster.local/ns/shop/sa/front" };

function block(cidr: string) {
  const parsed = parseBlock(cidr, "");
  if (!parsed.ok) throw new Error(cidr);
  return parsed.value;
}

function policy(defaultPolicy: DefaultPolicy, authorizations: Authorization[], routes: InboundRoute[]): InboundPolicy {
  const probePaths = ["/healthz", "/grpc.health.v1.Health/Check"];
  const server = { ...NO_RESOURCE, kind: "Server", name: "web" };
  const port = {
    port: 80,
    protocol: "http1" as const,
    server,
    authorizations,
    routes,
    defaultPolicy,
    probePaths,
    rateLimit: null,
  };
  return {
    version: "1",
    workload: "shop/web-0",
    identity: "spiffe://cluster.local/ns/shop/sa/web",
    ports: new Map([[80, port]]),
    defaultPolicy,
    clusterNetworks: [],
    probeNetworks: [block("10.9.0.0/16")],
    zone: "",
  };
}

function request(method: string, path: string): HeaderBlock {
  return headerBlock({ method, scheme: "http", authority: "web", path, protocol: "", status: 0 }, []);
}

function verdict(
  inbound: InboundPolicy,
  client: { ip: string; identity: string | null },
  method: string,
  path: string,
) {
  const view = compileInbound(inbound, (rules) => ({
    matchAllReadings: (head) =>
      rules.find((rule) => rule.matches.some((match) => match.path?.value === head.path)) ?? null,
  }));
  return authorizeRequest(view.port(80), client, request(method, path)).kind;
}

const DENY: Authorization = {
  policy: { ...NO_RESOURCE, kind: "AuthorizationPolicy", name: "nobody" },
  action: "deny",
  mode: "enforce",
  authentications: [],
};

test.each<[string, ReturnType<typeof policy>, typeof NODE | typeof PEER, string, string, "permit" | "deny"]>([
  ["its path", policy("deny", [], []), NODE, "GET", "/healthz", "permit"],
  ["its path with a query", policy("deny", [], []), NODE, "GET", "/healthz?verbose=1", "permit"],
  ["the gRPC health check", policy("deny", [], []), NODE, "POST", "/grpc.health.v1.Health/Check", "permit"],
  ["another method", policy("deny", [], []), NODE, "POST", "/healthz", "deny"],
  ["a longer path", policy("deny", [], []), NODE, "GET", "/healthz/../admin", "deny"],
  ["the path in other words", policy("deny", [], []), NODE, "GET", "/%68ealthz", "deny"],
  ["another path", policy("all-authenticated", [], []), NODE, "GET", "/", "deny"],
  ["from elsewhere", policy("deny", [], []), ELSEWHERE, "GET", "/healthz", "deny"],
  ["with an identity", policy("deny", [], []), PEER, "GET", "/healthz", "deny"],
  ["denied by a policy", policy("deny", [DENY], []), NODE, "GET", "/healthz", "deny"],
])("probe: %s", (_name, inbound, client, method, path, expected) => {
  expect(verdict(inbound, client, method, path)).toBe(expected);
});

test("probe: admitted beside routes that do not know its path", () => {
  const match = { path: { kind: "exact" as const, value: "/", pattern: null }, headers: [], query: [], method: "" };
  const route = {
    ref: { ...NO_RESOURCE, kind: "HTTPRoute", name: "root" },
    hostnames: [],
    matches: [match],
    authorizations: [],
  };
  const inbound = policy("deny", [], [route]);
  expect(verdict(inbound, NODE, "GET", "/healthz")).toBe("permit");
  expect(verdict(inbound, NODE, "GET", "/")).toBe("deny");
});

test("probe: the connection itself is no better off", () => {
  const view = compileInbound(policy("deny", [], []), () => ({ matchAllReadings: () => null }));
  expect(authorizeConnection(view, 80, NODE).kind).toBe("deny");
});
