/** Random policies against a plain reading of their meaning (policy/README.md), which shares no code with the decision. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import type { HttpMatch } from "../../model/http_match.ts";
import type { Authentication, Authorization, DefaultPolicy, InboundPolicy, InboundRoute } from "../../model/inbound.ts";
import { parseBlock } from "../../model/ip.ts";
import { NO_RESOURCE } from "../../model/resource.ts";
import { compileInbound } from "../policy/authorize.ts";
import { judge, type RequestFacts } from "../policy/facts.ts";
import { compileRoutes } from "../route/compile.ts";

const PORT = 80;
const RUNS = 600;
const ID = (name: string) => `spiffe://cluster.local/ns/${name.replace(".", "/sa/")}`;

// --- the plain reading

interface Plain {
  readonly permit: boolean;
  /** Name of the policy or default that decides. */
  readonly by: string;
  /** Something in audit mode would have refused what is let in. */
  readonly wouldDeny: boolean;
}

function plainly(policy: InboundPolicy, facts: RequestFacts): Plain {
  const port = policy.ports.get(facts.port);
  const rules = port?.authorizations ?? [];
  const routes = port?.routes ?? [];
  const byDefault = port?.defaultPolicy ?? policy.defaultPolicy;
  const server = port?.server?.name ?? byDefault;
  const holding = (list: readonly Authorization[], action: string, mode: string) =>
    list.filter((each) =>
      each.action === action && each.mode === mode && each.authentications.every((one) => meets(one, facts))
    ).map((each) => each.policy.name).sort();
  const has = (list: readonly Authorization[], mode: string) =>
    list.some((each) => each.action === "allow" && each.mode === mode);
  const isOnTrial = (list: readonly Authorization[]) =>
    byDefault === "audit" || (byDefault === "deny" && has(list, "audit") && !has(list, "enforce"));

  let list = rules;
  let isMissing = false;
  if (routes.length > 0) {
    const route = routes.find((each) => matches(each, facts));
    if (facts.protocol === "opaque") {
      const [denied] = holding(rules, "deny", "enforce");
      return { permit: false, by: denied ?? server, wouldDeny: false };
    }
    if (route === undefined) {
      if (!isOnTrial([...rules, ...routes.flatMap((each) => each.authorizations)])) {
        return { permit: false, by: server, wouldDeny: false };
      }
      isMissing = true;
    } else list = [...rules, ...route.authorizations];
  }
  const [denied] = holding(list, "deny", "enforce");
  if (denied !== undefined) return { permit: false, by: denied, wouldDeny: false };
  const [auditDenied] = holding(list, "deny", "audit");
  if (isMissing) return { permit: true, by: "audit", wouldDeny: true };
  const [allowed] = holding(list, "allow", "enforce");
  if (allowed !== undefined) return { permit: true, by: allowed, wouldDeny: auditDenied !== undefined };
  const [auditAllowed] = holding(list, "allow", "audit");
  if (isOnTrial(list)) {
    const by = byDefault === "audit" ? "audit" : auditAllowed ?? "audit";
    return { permit: true, by, wouldDeny: auditDenied !== undefined || auditAllowed === undefined };
  }
  const isInside = facts.ip.startsWith("10.");
  const isKnown = facts.tls && facts.identity !== null;
  const permit = byDefault === "all-unauthenticated" ||
    (byDefault === "all-authenticated" && isKnown) ||
    (byDefault === "cluster-unauthenticated" && isInside) ||
    (byDefault === "cluster-authenticated" && isKnown && isInside);
  return { permit, by: byDefault, wouldDeny: permit && auditDenied !== undefined };
}

function meets(one: Authentication, { tls, identity, ip }: RequestFacts): boolean {
  if (one.kind === "networks") {
    // The networks below are all of ten-dot, and leave out all of ten-dot-one.
    const isTen = ip.startsWith("10.");
    const leavesOut = one.networks[0]?.except.length !== 0;
    return isTen && !(leavesOut && ip.startsWith("10.1."));
  }
  if (!tls || identity === null) return false;
  return one.identities.some((each) =>
    each === "*" || each === identity || (each.endsWith("/*") && identity.startsWith(each.slice(0, -1)))
  );
}

function matches({ hostnames, matches }: InboundRoute, facts: RequestFacts): boolean {
  const path = facts.path.split("?")[0] ?? "";
  if (hostnames.length > 0 && !hostnames.includes(facts.authority)) return false;
  return matches.some(({ path: wanted, method, headers }) => {
    if (method !== "" && method !== facts.method) return false;
    if (headers.some(({ name, value }) => facts.fields[facts.fields.indexOf(name) + 1] !== value)) return false;
    if (wanted === null) return true;
    if (wanted.kind === "exact") return path === wanted.value;
    return `${path}/`.startsWith(`${wanted.value}/`);
  });
}

// --- random policies

function block(cidr: string) {
  const parsed = parseBlock(cidr, "");
  if (!parsed.ok) throw new Error(parsed.error);
  return parsed.value;
}

const mesh = (...identities: string[]): Authentication => ({ kind: "mesh_tls", source: NO_RESOURCE, identities });
const ten = (...except: string[]): Authentication => ({
  kind: "networks",
  source: NO_RESOURCE,
  networks: [{ block: block("10.0.0.0/8"), except: except.map(block) }],
});
const someAuthentication = fc.constantFrom(
  ...[mesh("*"), mesh(ID("foo.a")), mesh(ID("foo.*")), mesh(ID("bar.*"), ID("foo.b")), ten(), ten("10.1.0.0/16")],
);
const someAuthorization = fc.record({
  policy: fc.constantFrom(..."abcdefgh").map((name) => ({ ...NO_RESOURCE, kind: "AuthorizationPolicy", name })),
  action: fc.constantFrom("allow" as const, "allow" as const, "deny" as const),
  mode: fc.constantFrom("enforce" as const, "enforce" as const, "audit" as const),
  authentications: fc.array(someAuthentication, { maxLength: 2 }),
});
const someAuthorizations = fc.array(someAuthorization, { maxLength: 3 });
const someMatch: fc.Arbitrary<HttpMatch> = fc.record({
  path: fc.constantFrom(
    null,
    ...["/metrics", "/a", "/a/b"].map((value) => ({ kind: "exact" as const, value, pattern: null })),
    ...["", "/a", "/metrics"].map((value) => ({ kind: "prefix" as const, value, pattern: null })),
  ),
  headers: fc.constantFrom([], [], [{ kind: "exact" as const, name: "x-team", value: "red", pattern: null }]),
  query: fc.constant([]),
  method: fc.constantFrom("", "", "GET", "POST"),
});
const someRoute = fc.record({
  hostnames: fc.constantFrom([], [], ["web"]),
  matches: fc.array(someMatch, { minLength: 1, maxLength: 2 }),
  authorizations: someAuthorizations,
});
const someDefault = fc.constantFrom<DefaultPolicy>(
  ...["all-unauthenticated", "all-authenticated", "cluster-unauthenticated", "cluster-authenticated"] as const,
  ...["deny", "deny", "deny", "audit"] as const,
);
interface Parts {
  readonly authorizations: readonly Authorization[];
  readonly routes: readonly Omit<InboundRoute, "ref">[];
  readonly defaultPolicy: DefaultPolicy;
}
const someParts: fc.Arbitrary<Parts> = fc.record({
  authorizations: someAuthorizations,
  routes: fc.array(someRoute, { maxLength: 3 }),
  defaultPolicy: someDefault,
});
const PATHS = ["/metrics", "/metrics?x=1", "/a", "/a/b", "/a/b/c", "/ab", "/"];
const someFacts: fc.Arbitrary<RequestFacts> = fc.record({
  port: fc.constantFrom(PORT, PORT, PORT, 81),
  ip: fc.constantFrom("10.0.0.1", "10.1.0.1", "192.0.2.1", "unreadable"),
  tls: fc.constantFrom(true, true, false),
  identity: fc.constantFrom(ID("foo.a"), ID("foo.b"), ID("bar.a"), null),
  protocol: fc.constantFrom("http" as const, "http" as const, "http" as const, "opaque" as const),
  method: fc.constantFrom("GET", "POST"),
  authority: fc.constantFrom("web", "other"),
  path: fc.constantFrom(...PATHS),
  fields: fc.constantFrom([], ["x-team", "red"], ["x-team", "blue"]),
});

function policyOf({ authorizations, routes, defaultPolicy }: Parts): InboundPolicy {
  // Names are unique in a namespace: of several policies with one name the first stands.
  const seen = new Set<string>();
  const unique = (list: readonly Authorization[]) =>
    list.filter(({ policy }) => !seen.has(policy.name) && seen.add(policy.name));
  const port = {
    port: PORT,
    protocol: "detect",
    server: { ...NO_RESOURCE, kind: "Server", name: "server" },
    authorizations: unique(authorizations),
    routes: routes.map((route, at) => ({
      ...route,
      ref: { ...NO_RESOURCE, kind: "HTTPRoute", name: `route-${at}` },
      authorizations: unique(route.authorizations),
    })),
    defaultPolicy,
    probePaths: [],
    rateLimit: null,
  } as const;
  return {
    version: "1",
    workload: "shop/web-0",
    identity: ID("shop.web"),
    ports: new Map([[PORT, port]]),
    defaultPolicy,
    zone: "",
    clusterNetworks: [block("10.0.0.0/8")],
    probeNetworks: [],
  };
}

function judged(policy: InboundPolicy, facts: RequestFacts): Plain {
  const verdict = judge(compileInbound(policy, compileRoutes), facts);
  const permit = verdict.kind === "permit";
  return { permit, by: verdict.policy.name, wouldDeny: permit && verdict.audit };
}

test("judge() equals the plain reading on any policy and request", () => {
  fc.assert(
    fc.property(someParts, fc.array(someFacts, { minLength: 4, maxLength: 4 }), (parts, all) => {
      const policy = policyOf(parts);
      for (const facts of all) expect([facts, judged(policy, facts)]).toEqual([facts, plainly(policy, facts)]);
    }),
    { numRuns: RUNS },
  );
});

test("adding a deny never admits more, wherever it is added and whatever its mode", () => {
  fc.assert(
    fc.property(someParts, someAuthorization, fc.nat(), someFacts, (parts, extra, where, facts) => {
      const before = policyOf(parts);
      const port = before.ports.get(PORT);
      if (port === undefined) throw new Error("made above");
      const deny = { ...extra, action: "deny" as const, policy: { ...extra.policy, name: "extra" } };
      const at = where % (port.routes.length + 1);
      const after = {
        ...port,
        authorizations: at === 0 ? [...port.authorizations, deny] : port.authorizations,
        routes: port.routes.map((route, index) =>
          index === at - 1 ? { ...route, authorizations: [...route.authorizations, deny] } : route
        ),
      };
      const was = judged(before, facts).permit;
      const is = judged({ ...before, ports: new Map([[PORT, after]]) }, facts).permit;
      expect(is && !was).toBe(false);
      if (deny.mode === "audit") expect(is).toBe(was);
    }),
    { numRuns: RUNS },
  );
});

/** Ways to spell a path differently that some server would read as the same. */
const SPELLINGS: readonly ((path: string) => string)[] = [
  (path) => `/${path}`,
  (path) => `${path}/`,
  (path) => `/x/..${path}`,
  (path) => `/.${path}`,
  (path) => `${path};v=1`,
  (path) => `${path}%00`,
  (path) => path.toUpperCase(),
  (path) => path.replaceAll("a", "%61"),
  (path) => path.replaceAll("/", "%2f").replace("%2f", "/"),
  (path) => path.replaceAll("/", "\\").replace("\\", "/"),
  (path) => `${path}/x/%2e%2e`,
];

test("no spelling of a path is admitted unless the path is", () => {
  const someSpelling = fc.array(fc.constantFrom(...SPELLINGS), { minLength: 1, maxLength: 2 });
  const somePath = fc.constantFrom(...PATHS.filter((path) => !path.includes("?")));
  // A dry run lets in what has no route, also in other spellings.
  const enforced = someParts.map((parts) => ({ ...parts, defaultPolicy: "deny" as const }));
  fc.assert(
    fc.property(enforced, someFacts, somePath, someSpelling, (parts, facts, path, spell) => {
      const policy = policyOf(parts);
      const spelled = spell.reduce((text, step) => step(text), path);
      const as = (it: string) => judged(policy, { ...facts, path: it });
      const other = as(spelled);
      if (other.permit && other.by !== "audit") expect([spelled, as(path).permit]).toEqual([spelled, true]);
    }),
    { numRuns: RUNS },
  );
});
