import { expect, test } from "bun:test";
import fc from "fast-check";
import type { Matchable } from "../../model/http_match.ts";
import type {
  Authentication,
  Authorization,
  DefaultPolicy,
  InboundPolicy,
  InboundPort,
  InboundRoute,
} from "../../model/inbound.ts";
import { type IpBlock, parseBlock } from "../../model/ip.ts";
import { NO_RESOURCE, type ResourceRef } from "../../model/resource.ts";
import { type HeaderBlock, headerBlock } from "../../wire/header_block.ts";
import {
  authorizeConnection,
  authorizeRequest,
  compileInbound,
  type InboundView,
  type RequestMatcher,
} from "./authorize.ts";

const FRONT = "spiffe://cluster.local/ns/shop/sa/front";
const BACK = "spiffe://cluster.local/ns/shop/sa/back";
const INSIDE = "10.1.2.3";
const OUTSIDE = "203.0.113.9";

function block(cidr: string): IpBlock {
  const result = parseBlock(cidr, "cidr");
  if (!result.ok) throw new Error(result.error);
  return result.value;
}

function ref(kind: string, name: string): ResourceRef {
  return { ...NO_RESOURCE, kind, namespace: "shop", name };
}

const mesh = (...identities: string[]): Authentication => ({ kind: "mesh_tls", source: NO_RESOURCE, identities });
const net = (cidr: string, ...except: string[]): Authentication => ({
  kind: "networks",
  source: NO_RESOURCE,
  networks: [{ block: block(cidr), except: except.map(block) }],
});

function policy(
  name: string,
  action: "allow" | "deny",
  authentications: Authentication[],
  mode: "enforce" | "audit" = "enforce",
): Authorization {
  return { policy: ref("AuthorizationPolicy", name), action, mode, authentications };
}

function port(parts: Partial<InboundPort>): InboundPort {
  return {
    port: 80,
    protocol: "http1",
    server: ref("Server", "web"),
    authorizations: [],
    routes: [],
    defaultPolicy: "deny",
    probePaths: [],
    rateLimit: null,
    ...parts,
  };
}

/** Exact paths only: the matcher is the route stage's, tested there. */
function compileExact<R extends Matchable>(rules: readonly R[]): RequestMatcher<R> {
  return {
    matchAllReadings: (block: HeaderBlock) =>
      block.path.includes("..")
        ? "ambiguous"
        : rules.find((r) => r.matches.some((m) => m.path?.value === block.path)) ?? null,
  };
}

function view(ports: InboundPort[], defaultPolicy: DefaultPolicy = "deny"): InboundView {
  const inbound: InboundPolicy = {
    version: "1",
    workload: "shop/web-0",
    identity: BACK,
    ports: new Map(ports.map((p) => [p.port, p])),
    defaultPolicy,
    clusterNetworks: [block("10.0.0.0/8"), block("fd00::/8")],
    probeNetworks: [block("10.9.0.0/16")],
    zone: "",
  };
  return compileInbound(inbound, compileExact);
}

function route(path: string, authorizations: Authorization[]): InboundRoute {
  const match = { path: { kind: "exact" as const, value: path, pattern: null }, headers: [], query: [], method: "" };
  return { ref: ref("HTTPRoute", path), hostnames: [], matches: [match], authorizations };
}

function request(path: string): HeaderBlock {
  return headerBlock({ method: "GET", scheme: "http", authority: "web", path, protocol: "", status: 0 }, []);
}

const client = (identity: string | null, ip = INSIDE) => ({ ip, identity });

test.each<[DefaultPolicy, string | null, string, string]>([
  ["all-unauthenticated", null, OUTSIDE, "permit"],
  ["all-authenticated", FRONT, OUTSIDE, "permit"],
  ["all-authenticated", null, INSIDE, "deny"],
  ["all-authenticated", "", INSIDE, "deny"],
  ["cluster-unauthenticated", null, INSIDE, "permit"],
  ["cluster-unauthenticated", null, "::ffff:10.1.2.3", "permit"],
  ["cluster-unauthenticated", null, "fd00::1", "permit"],
  ["cluster-unauthenticated", FRONT, OUTSIDE, "deny"],
  ["cluster-unauthenticated", null, "not an address", "deny"],
  ["cluster-authenticated", FRONT, INSIDE, "permit"],
  ["cluster-authenticated", null, INSIDE, "deny"],
  ["cluster-authenticated", FRONT, OUTSIDE, "deny"],
  ["deny", FRONT, INSIDE, "deny"],
  ["audit", null, OUTSIDE, "permit"],
])("authorizeConnection() under default %s for %p from %s is %s", (defaultPolicy, identity, ip, kind) => {
  const verdict = authorizeConnection(view([], defaultPolicy), 9999, client(identity, ip));
  expect([verdict.kind, verdict.policy.kind, verdict.policy.name, verdict.audit]).toEqual(
    [kind as "permit" | "deny", "default", defaultPolicy, defaultPolicy === "audit"],
  );
});

test.each<[string, Authorization[], string | null, string, string, string]>([
  ["exact identity", [policy("p", "allow", [mesh(FRONT)])], FRONT, INSIDE, "permit", "p"],
  ["another identity", [policy("p", "allow", [mesh(FRONT)])], BACK, INSIDE, "deny", "deny"],
  ["no identity for *", [policy("p", "allow", [mesh("*")])], null, INSIDE, "deny", "deny"],
  ["any identity for *", [policy("p", "allow", [mesh("*")])], BACK, INSIDE, "permit", "p"],
  [
    "start of an identity",
    [policy("p", "allow", [mesh("spiffe://cluster.local/ns/shop/*")])],
    FRONT,
    INSIDE,
    "permit",
    "p",
  ],
  ["not the start", [policy("p", "allow", [mesh("spiffe://cluster.local/ns/shop2/*")])], FRONT, INSIDE, "deny", "deny"],
  ["all authentications hold", [policy("p", "allow", [mesh("*"), net("10.0.0.0/8")])], FRONT, INSIDE, "permit", "p"],
  ["one does not", [policy("p", "allow", [mesh("*"), net("10.0.0.0/8")])], FRONT, OUTSIDE, "deny", "deny"],
  ["no authentication is everyone", [policy("p", "allow", [])], null, OUTSIDE, "permit", "p"],
  [
    "network without its exception",
    [policy("p", "allow", [net("10.0.0.0/8", "10.1.0.0/16")])],
    null,
    INSIDE,
    "deny",
    "deny",
  ],
  ["deny beats allow", [policy("a", "allow", []), policy("b", "deny", [mesh(FRONT)])], FRONT, INSIDE, "deny", "b"],
])("authorizeConnection() with a Server: %s", (_why, authorizations, identity, ip, kind, name) => {
  const verdict = authorizeConnection(view([port({ authorizations })]), 80, client(identity, ip));
  expect([verdict.kind, verdict.policy.name, verdict.server.name]).toEqual([kind as "permit" | "deny", name, "web"]);
});

test("a denial of the namespace holds on ports that nobody declares", () => {
  const { policy: inbound } = view([], "all-unauthenticated");
  const denials = [policy("outsiders", "deny", [net(OUTSIDE)])];
  const compiled = compileInbound({ ...inbound, denials }, compileExact);
  const names = [INSIDE, OUTSIDE].map((ip) => authorizeConnection(compiled, 9999, client(null, ip)).policy.name);
  expect(names).toEqual(["all-unauthenticated", "outsiders"]);
});

test("authorizeConnection() marks what a policy in audit mode would have changed", () => {
  const audited = view([
    port({ port: 1, authorizations: [policy("allow", "allow", []), policy("would-deny", "deny", [], "audit")] }),
    port({ port: 2, authorizations: [policy("would-allow", "allow", [], "audit")] }),
    port({
      port: 3,
      authorizations: [policy("would-allow", "allow", [], "audit")],
      defaultPolicy: "all-unauthenticated",
    }),
  ]);
  const rows = [1, 2, 3].map((p) => authorizeConnection(audited, p, client(FRONT)));
  expect(rows.map((v) => [v.kind, v.audit, v.auditPolicy?.name])).toEqual([
    ["permit", true, "would-deny"],
    ["permit", false, undefined], // its only allow is on trial, and holds
    ["permit", false, undefined],
  ]);
});

test("a port whose admissions are all in audit mode refuses nobody for want of one, and says whom it would refuse", () => {
  const trial = [policy("trial", "allow", [mesh(FRONT)], "audit")];
  const enforced = policy("enforced", "allow", [mesh("spiffe://cluster.local/ns/ops/*")]);
  const banned = policy("banned", "deny", [net(OUTSIDE)]);
  const all = view([
    port({ port: 1, authorizations: [...trial, banned] }),
    port({ port: 2, authorizations: [...trial, enforced] }),
    port({ port: 3, routes: [route("/r", trial)] }),
    port({ port: 4, routes: [route("/r", trial), route("/s", [enforced])] }),
    port({ port: 5, authorizations: trial, defaultPolicy: "all-authenticated" }),
  ]);
  const said = (number: number, who: ReturnType<typeof client>, path: string) => {
    const { kind, cause, auditPolicy } = authorizeRequest(all.port(number), who, request(path));
    return [kind, cause, auditPolicy?.name];
  };
  expect([
    said(1, client(FRONT), "/"),
    said(1, client(BACK), "/"),
    said(1, client(BACK, OUTSIDE), "/"),
    said(2, client(BACK), "/"),
    said(2, client(FRONT), "/"),
    said(3, client(BACK), "/r"),
    said(3, client(FRONT), "/none"),
    said(4, client(BACK), "/r"),
    said(4, client(FRONT), "/none"),
    said(5, client(null), "/"),
  ]).toEqual([
    ["permit", "default", undefined],
    ["permit", "default", "trial"],
    ["deny", "policy", undefined],
    ["deny", "default", undefined],
    ["deny", "default", "trial"],
    ["permit", "default", "trial"],
    ["permit", "no_route", "trial"],
    ["permit", "default", "trial"],
    ["deny", "no_route", undefined],
    ["deny", "default", undefined],
  ]);
});

const routed = view([port({
  authorizations: [policy("server", "allow", [mesh(BACK)]), policy("banned", "deny", [net(OUTSIDE)])],
  routes: [
    route("/open", [policy("open", "allow", [])]),
    route("/closed", []),
    route("/no-back", [policy("nb", "deny", [mesh(BACK)])]),
  ],
})]);

test.each<[string, string | null, string, string, string]>([
  ["/open", null, "permit", "open", "the route's own policy admits"],
  ["/closed", null, "deny", "deny", "nobody admits"],
  ["/closed", BACK, "permit", "server", "the Server's policy admits"],
  ["/no-back", BACK, "deny", "nb", "the route's deny beats the Server's allow"],
  ["/none", BACK, "deny", "web", "no route"],
  ["/open/..", BACK, "deny", "web", "ambiguous path"],
])("authorizeRequest() of %s by %p is %s by %s: %s", (path, identity, kind, name, why) => {
  const verdict = authorizeRequest(routed.port(80), client(identity), request(path));
  expect([verdict.kind, verdict.policy.name]).toEqual([kind as "permit" | "deny", name]);
  if (name === "web") expect(verdict.reason).toStartWith(why);
});

const bare = view([port({ server: null, authorizations: [], defaultPolicy: "cluster-authenticated" })]);
const ROUTE = "Server shop/web or HTTPRoute shop//";

test.each<[string, InboundView, string, string | null, string, string]>([
  ["of a route", routed, "/closed", FRONT, `no policy of ${ROUTE}closed allows it to ${FRONT}`, ""],
  ["that denies", routed, "/no-back", BACK, `a policy of ${ROUTE}no-back denies it to ${BACK}`, ""],
  ["of no route", routed, "/none", FRONT, "no route of Server shop/web matches it", ""],
  [
    "to a stranger",
    routed,
    "/closed",
    null,
    `no policy of ${ROUTE}closed allows it to ${INSIDE}, which has no mesh identity`,
    `no policy allows it to ${INSIDE}, which has no mesh identity`,
  ],
  [
    "of no route, to a stranger",
    routed,
    "/none",
    null,
    "no route of Server shop/web matches it",
    "no route matches it",
  ],
  [
    "that denies a stranger",
    view([port({ authorizations: [policy("banned", "deny", [])] })]),
    "/",
    "",
    `a policy of Server shop/web denies it to ${INSIDE}, which has no mesh identity`,
    `a policy denies it to ${INSIDE}, which has no mesh identity`,
  ],
  ["without a Server", bare, "/", null, `no policy allows it to ${INSIDE}, which has no mesh identity`, ""],
])("authorizeRequest() names who is refused and where, but to a stranger nothing of it: %s", (...row) => {
  const [_title, by, path, identity, reason, told] = row;
  const verdict = authorizeRequest(by.port(80), client(identity), request(path));
  expect([verdict.reason, verdict.told]).toEqual([reason, told === "" ? reason : told]);
});

test("authorizeRequest() says that a member of the mesh asks from outside of the cluster's networks", () => {
  const { told } = authorizeRequest(bare.port(80), client(FRONT, OUTSIDE), request("/"));
  expect(told).toBe(`no policy allows it to ${FRONT}, from outside of the cluster's networks`);
});

test("authorizeConnection() leaves a port with routes to its requests, except for a deny of the Server", () => {
  const open = authorizeConnection(routed, 80, client(null));
  const banned = authorizeConnection(routed, 80, client(BACK, OUTSIDE));
  expect([open.kind, open.needsRequest, banned.kind, banned.policy.name]).toEqual(["permit", true, "deny", "banned"]);
  expect(routed.port(80).unclassified.kind).toBe("deny");
});

test("authorizeRequest() without routes is the connection's verdict", () => {
  const plain = view([port({ authorizations: [policy("p", "allow", [])] })]);
  const verdict = authorizeConnection(plain, 80, client(null));
  expect(authorizeRequest(plain.port(80), client(null), request("/x"))).toBe(verdict);
});

test("request() does not carry one client's verdict to another on a shared block", () => {
  const block = request("/closed");
  const verdicts = [BACK, null, BACK].map((id) => authorizeRequest(routed.port(80), client(id), block).kind);
  expect(verdicts).toEqual(["permit", "deny", "permit"]);
});

const someAuthentication = fc.constantFrom(
  mesh("*"),
  mesh(FRONT),
  mesh("spiffe://cluster.local/*"),
  net("10.0.0.0/8"),
  net("::/0"),
);
const someAuthorization = fc.record({
  policy: fc.string({ minLength: 1, maxLength: 4 }).map((name) => ref("AuthorizationPolicy", name)),
  action: fc.constantFrom("allow" as const, "deny" as const),
  mode: fc.constantFrom("enforce" as const, "enforce" as const, "audit" as const),
  authentications: fc.array(someAuthentication, { maxLength: 2 }),
});
const someDefault = fc.constantFrom<DefaultPolicy>(
  "all-unauthenticated",
  "all-authenticated",
  "cluster-unauthenticated",
  "deny",
  "audit",
);
const someClient = fc.constantFrom(
  client(FRONT),
  client(BACK, OUTSIDE),
  client(null),
  client(null, OUTSIDE),
  client(FRONT, "fd00::1"),
);
const somePort = fc.record({
  authorizations: fc.array(someAuthorization, { maxLength: 4 }),
  routes: fc.array(fc.array(someAuthorization, { maxLength: 3 }).map((a) => route("/r", a)), { maxLength: 1 }),
  defaultPolicy: someDefault,
  probePaths: fc.constant([]),
  rateLimit: fc.constant(null),
});

function kinds(p: InboundPort, who: { ip: string; identity: string | null }): string[] {
  const compiled = view([p]);
  return [
    authorizeConnection(compiled, 80, who).kind,
    authorizeRequest(compiled.port(80), who, request("/r")).kind,
    authorizeRequest(compiled.port(80), who, request("/other")).kind,
  ];
}

test("authorize: adding a deny never admits more", () => {
  fc.assert(fc.property(somePort, someAuthorization, someClient, fc.boolean(), (parts, extra, who, onRoute) => {
    const before = port(parts);
    const deny: Authorization = { ...extra, action: "deny" };
    const after = onRoute
      ? { ...before, routes: before.routes.map((r) => ({ ...r, authorizations: [...r.authorizations, deny] })) }
      : { ...before, authorizations: [...before.authorizations, deny] };
    const old = kinds(before, who);
    kinds(after, who).forEach((kind, i) => expect(kind === "permit" && old[i] === "deny").toBe(false));
  }));
});

test("authorize: the order of policies shows nowhere in the verdict", () => {
  fc.assert(fc.property(somePort, someClient, (parts, who) => {
    const one = port(parts);
    const two: InboundPort = {
      ...one,
      authorizations: one.authorizations.toReversed(),
      routes: one.routes.map((r) => ({ ...r, authorizations: r.authorizations.toReversed() })),
    };
    expect(authorizeConnection(view([two]), 80, who)).toEqual(authorizeConnection(view([one]), 80, who));
    expect(authorizeRequest(view([two]).port(80), who, request("/r"))).toEqual(
      authorizeRequest(view([one]).port(80), who, request("/r")),
    );
  }));
});

test("authorize: without policies the default decides, declared port or not", () => {
  fc.assert(fc.property(someDefault, someClient, (defaultPolicy, who) => {
    const declared = view([port({ server: null, defaultPolicy })]);
    const unknown = view([], defaultPolicy);
    expect(authorizeConnection(declared, 80, who)).toEqual(authorizeConnection(unknown, 80, who));
  }));
});

test("authorize: a denial in audit mode changes no outcome", () => {
  fc.assert(fc.property(somePort, someAuthorization, someClient, (parts, extra, who) => {
    const before = port(parts);
    const audit: Authorization = { ...extra, action: "deny", mode: "audit" };
    const after = { ...before, authorizations: [...before.authorizations, audit] };
    expect(kinds(after, who)).toEqual(kinds(before, who));
  }));
});

test("authorize: an admission in audit mode changes no outcome where another one is enforced", () => {
  fc.assert(fc.property(somePort, someAuthorization, someClient, (parts, extra, who) => {
    const before = port({ ...parts, authorizations: [...parts.authorizations, policy("a", "allow", [mesh(BACK)])] });
    const audit: Authorization = { ...extra, action: "allow", mode: "audit" };
    const after = { ...before, authorizations: [...before.authorizations, audit] };
    expect(kinds(after, who)).toEqual(kinds(before, who));
  }));
});
