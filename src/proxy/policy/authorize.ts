/**
 * Inbound authorization. A policy is compiled when it arrives; a client is evaluated when it connects; a request costs a
 * look at its header block.
 *
 *     const view = compileInbound(policy, compileRoutes);
 *     const verdict = authorizeConnection(view, 8080, client);
 *     if (verdict.needsRequest) authorizeRequest(view.port(8080), client, block);
 */
import type { Matchable } from "../../model/http_match.ts";
import type { InboundPolicy, InboundPort, InboundRoute } from "../../model/inbound.ts";
import { blockContains, type IpBlock, parseIp } from "../../model/ip.ts";
import { defaultResource, type ResourceRef } from "../../model/resource.ts";
import type { HeaderBlock } from "../../wire/header_block.ts";
import type { PeerClient } from "./credentials.ts";
import {
  type Caller,
  compileRules,
  decide,
  type Decision,
  type Fallback,
  fallbackOf,
  type Findings,
  findingsFor,
  joinFindings,
  type RuleSet,
} from "./decide.ts";
import type { Cause, Verdict } from "./verdict.ts";
import { denied, noRoute, notAllowed, type Words } from "./wording.ts";

/** Clients remembered per port. A port has few distinct ones in a mesh; a scan from many addresses must not fill memory. */
export const MAX_REMEMBERED_CLIENTS = 512;

/** A compiled list of rules, as `proxy/route` makes it: what all readings of a path lead to. */
export interface RequestMatcher<R> {
  matchAllReadings(block: HeaderBlock): R | null | "ambiguous";
}

/** Makes a matcher; `compileRoutes` of `proxy/route`, passed in because stages do not call stages. */
export type CompileMatcher = <R extends Matchable>(
  rules: readonly R[],
  isSame: (a: R, b: R) => boolean,
) => RequestMatcher<R>;

/** Compiles the inbound policy of a workload. */
export function compileInbound(policy: InboundPolicy, compileMatcher: CompileMatcher): InboundView {
  return new InboundView(policy, compileMatcher);
}

/**
 * Decides about a connection.
 *
 * @param view current policy
 * @param port port of the workload that the client wants
 * @param client whose `identity` was verified by TLS, or null
 * @returns on a port with routes: permit with `needsRequest`, unless a policy of the Server denies the client outright
 */
export function authorizeConnection(view: InboundView, port: number, client: PeerClient): Verdict {
  return view.port(port).forClient(client).connection;
}

/** Decides about a request on a connection that was admitted. */
export function authorizeRequest(port: PortPolicy, client: PeerClient, block: HeaderBlock): Verdict {
  return port.forClient(client).request(block);
}

/** A compiled inbound policy. Replaced as a whole; holders ask the new one again. */
export class InboundView {
  readonly policy: InboundPolicy;
  readonly #ports = new Map<number, PortPolicy>();
  readonly #other: PortPolicy;

  /** Use `compileInbound`. */
  constructor(policy: InboundPolicy, compileMatcher: CompileMatcher) {
    this.policy = policy;
    for (const port of policy.ports.values()) {
      this.#ports.set(port.port, new PortPolicy(port, policy, compileMatcher));
    }
    this.#other = new PortPolicy(undeclared(policy), policy, compileMatcher);
  }

  /** What holds on a port, declared or not. */
  port(port: number): PortPolicy {
    return this.#ports.get(port) ?? this.#other;
  }
}

/** What holds at a target: its own rules and, for a route, the default together with those of its Server. */
interface TargetRules {
  readonly rules: RuleSet;
  readonly fallback: Fallback;
}

/** The policy of one port. */
export class PortPolicy {
  readonly spec: InboundPort;
  readonly server: ResourceRef;
  /** Whether requests must be told apart. */
  readonly needsRequest: boolean;
  /** For bytes that are not HTTP on a port with routes: a miss of the detection never weakens policy. */
  readonly unclassified: Verdict;
  /** For a kubelet's probe. */
  readonly probe: Verdict;
  readonly #server: TargetRules;
  readonly #routes = new Map<InboundRoute, TargetRules>();
  /** For requests that no route matches, and whose readings differ; null when all are refused, whoever asks. */
  readonly #noRouteTrial: Fallback | null;
  readonly #ambiguousTrial: Fallback | null;
  readonly #ambiguous: Verdict;
  readonly #matcher: RequestMatcher<InboundRoute>;
  readonly #probeNetworks: readonly IpBlock[];
  readonly #clients = new Map<string, ClientPolicy>();

  constructor(spec: InboundPort, networks: Networks, compileMatcher: CompileMatcher) {
    this.spec = spec;
    this.server = spec.server ?? defaultResource(spec.defaultPolicy);
    this.needsRequest = spec.routes.length > 0;
    this.#matcher = compileMatcher(spec.routes, isSameRoute);
    this.#probeNetworks = networks.probeNetworks;
    const rules = compileRules(spec.authorizations);
    const target = (...sets: RuleSet[]) => fallbackOf(spec.defaultPolicy, sets, networks.clusterNetworks);
    this.#server = { rules, fallback: target(rules) };
    for (const route of spec.routes) {
      const own = compileRules(route.authorizations);
      this.#routes.set(route, { rules: own, fallback: target(rules, own) });
    }
    const all = target(rules, ...[...this.#routes.values()].map((route) => route.rules));
    this.#noRouteTrial = all.trial === null ? null : all;
    const guards = [...this.#routes.values()].some((route) => route.rules.deny.length > 0);
    this.#ambiguousTrial = guards ? null : this.#noRouteTrial;
    this.unclassified = this.#refusal("unclassified", same("the port has routes, and the bytes are not HTTP"));
    this.probe = this.#verdict(PROBE, same(PROBE.reason), null, false);
    this.#ambiguous = this.#refusal(
      "ambiguous_path",
      same("ambiguous path: its readings lead to different routes; send it normalised"),
    );
  }

  /** The decisions for one client. Keep the result for the connection's life; equal clients share one. */
  forClient(client: PeerClient): ClientPolicy {
    const identity = client.identity ?? "";
    const key = `${identity} ${client.ip}`;
    let known = this.#clients.get(key);
    if (known === undefined) {
      if (this.#clients.size >= MAX_REMEMBERED_CLIENTS) this.#clients.clear();
      known = new ClientPolicy(this, { identity, ip: parseIp(client.ip) });
      this.#clients.set(key, known);
    }
    return known;
  }

  /** What the Server's own policies say to a caller: part of each decision below. */
  findings(caller: Caller): Findings {
    return findingsFor(this.#server.rules, caller);
  }

  /** Decision by the Server's policies alone. @param found by them for this caller */
  decideConnection(caller: Caller, found: Findings): Decision {
    return decide(found, this.#server.fallback, caller);
  }

  /** Decision by the Server's and the route's policies. @param found by the Server's for this caller */
  decideRoute(caller: Caller, found: Findings, route: InboundRoute): Decision {
    const own = this.#routes.get(route) as TargetRules; // routes are this port's
    return decide(joinFindings(found, findingsFor(own.rules, caller)), own.fallback, caller);
  }

  /**
   * Verdict about a request that belongs to no route.
   *
   * @param isAmbiguous the readings of its path differ: then denials of routes are not known to be respected
   */
  withoutRoute(caller: Caller, found: Findings, isAmbiguous: boolean): Verdict {
    const refusal = isAmbiguous ? this.#ambiguous : this.#refusal("no_route", noRoute(this.server, caller));
    const trial = isAmbiguous ? this.#ambiguousTrial : this.#noRouteTrial;
    if (trial === null) return refusal;
    // An allow of the Server is not one of a route: the refusal on trial is that of the missing route.
    const decision = decide({ ...found, allow: null, auditAllow: null }, trial, caller);
    if (!decision.permit) return this.verdict(decision, caller, null, false);
    const reason = `${refusal.reason}; what would refuse it only audits`;
    return this.verdict({ ...decision, cause: refusal.cause, reason }, caller, null, false);
  }

  /**
   * The policy in audit mode, or default, because of which nothing is refused for want of an admission.
   *
   * @param route of this port; null: the port as a whole, of one with routes what none of them matches
   * @returns null where the default holds
   */
  trialOf(route: InboundRoute | null): ResourceRef | null {
    if (route !== null) return this.#routes.get(route)?.fallback.trial ?? null;
    return (this.needsRequest ? this.#noRouteTrial : this.#server.fallback)?.trial ?? null;
  }

  /** The route of a request: null when none matches, "ambiguous" when the readings of its path differ. */
  routeOf(block: HeaderBlock): InboundRoute | null | "ambiguous" {
    return this.#matcher.matchAllReadings(block);
  }

  /** Whether a request is a kubelet's probe: exactly its path, nobody's identity, from where probes come. */
  isProbe(caller: Caller, block: HeaderBlock): boolean {
    const { probePaths } = this.spec;
    if (probePaths.length === 0 || caller.identity !== "" || caller.ip === null) return false;
    const { method, path } = block;
    const query = path.indexOf("?");
    const asked = query < 0 ? path : path.slice(0, query);
    if (!probePaths.includes(asked) || method !== (asked === GRPC_HEALTH_CHECK ? "POST" : "GET")) return false;
    for (const network of this.#probeNetworks) if (blockContains(network, caller.ip)) return true;
    return false;
  }

  /** Puts a decision into the words of this port. */
  verdict(decision: Decision, caller: Caller, route: InboundRoute | null, needsRequest: boolean): Verdict {
    const ref = route === null ? null : route.ref;
    const words = decision.permit
      ? same(decision.reason)
      : decision.cause === "policy"
      ? denied(this.server, ref, caller)
      : notAllowed(this.server, ref, caller, decision.reason);
    return this.#verdict(decision, words, ref, needsRequest);
  }

  #verdict(decision: Decision, words: Words, route: ResourceRef | null, needsRequest: boolean): Verdict {
    return {
      kind: decision.permit ? "permit" : "deny",
      cause: decision.cause,
      policy: decision.policy,
      audit: decision.auditPolicy !== null,
      auditPolicy: decision.auditPolicy,
      server: this.server,
      route,
      needsRequest,
      reason: words.reason,
      told: words.told,
    };
  }

  #refusal(cause: Cause, words: Words): Verdict {
    const { reason } = words;
    return this.#verdict({ permit: false, cause, policy: this.server, auditPolicy: null, reason }, words, null, false);
  }
}

/** The decisions for one client on one port. */
export class ClientPolicy {
  /** The verdict about its connections. */
  readonly connection: Verdict;
  readonly #port: PortPolicy;
  readonly #caller: Caller;
  readonly #found: Findings;
  /** By route; see `PortPolicy.routeOf` for the others. */
  readonly #byRoute = new Map<InboundRoute | null | "ambiguous", Verdict>();

  constructor(port: PortPolicy, caller: Caller) {
    this.#port = port;
    this.#caller = caller;
    this.#found = port.findings(caller);
    const decision = port.decideConnection(caller, this.#found);
    // A deny of the Server holds for every route; anything else is for each request to decide.
    const open = port.needsRequest && (decision.permit || decision.cause === "default");
    this.connection = port.verdict(open ? { ...OPEN, policy: port.server } : decision, caller, null, port.needsRequest);
  }

  /** The verdict about a request; remembered on its block. */
  request(block: HeaderBlock): Verdict {
    if (!this.#port.needsRequest) {
      return this.connection.kind === "permit" ? this.connection : this.#orProbe(this.connection, block);
    }
    if (block.verdictKey === this) return block.verdictValue as Verdict; // only written below
    const verdict = this.#orProbe(this.#request(block), block);
    block.verdictKey = this;
    block.verdictValue = verdict;
    return verdict;
  }

  /** A refusal that no policy has asked for does not hold for a probe. */
  #orProbe(verdict: Verdict, block: HeaderBlock): Verdict {
    const isDenied = verdict.cause === "policy" ||
      this.connection.kind === "deny" && this.connection.cause === "policy";
    if (verdict.kind === "permit" || isDenied || !this.#port.isProbe(this.#caller, block)) return verdict;
    return this.#port.probe;
  }

  #request(block: HeaderBlock): Verdict {
    const route = this.#port.routeOf(block);
    let verdict = this.#byRoute.get(route);
    if (verdict === undefined) {
      verdict = route === null || route === "ambiguous"
        ? this.#port.withoutRoute(this.#caller, this.#found, route !== null)
        : this.#port.verdict(this.#port.decideRoute(this.#caller, this.#found, route), this.#caller, route, false);
      this.#byRoute.set(route, verdict);
    }
    return verdict;
  }
}

/** Of a connection whose requests are decided about one by one. */
const OPEN = { permit: true, cause: "requests", auditPolicy: null, reason: "decided for each request" } as const;
const PROBE: Decision = {
  permit: true,
  cause: "probe",
  policy: defaultResource("probe"),
  auditPolicy: null,
  reason: "a probe of the kubelet",
};
/** Path of a gRPC probe; the proto's package grpc.health.v1. */
const GRPC_HEALTH_CHECK = "/grpc.health.v1.Health/Check";

function same(reason: string): Words {
  return { reason, told: reason };
}

/** Policies are those of a whole route: between its own rules the readings of a path make no difference. */
function isSameRoute({ ref: a }: InboundRoute, { ref: b }: InboundRoute): boolean {
  return a.name === b.name && a.kind === b.kind && a.namespace === b.namespace && a.group === b.group;
}

/** Networks of a policy, for all its ports. */
type Networks = Pick<InboundPolicy, "clusterNetworks" | "probeNetworks">;

/** Ports that nobody declared. */
function undeclared(policy: InboundPolicy): InboundPort {
  return {
    port: 0,
    protocol: "detect",
    server: null,
    authorizations: policy.denials ?? [],
    routes: [],
    defaultPolicy: policy.defaultPolicy,
    probePaths: [],
    rateLimit: null,
  };
}
