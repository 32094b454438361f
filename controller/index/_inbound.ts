/** Who may reach a workload, port by port. */
import type {
  Authentication,
  Authorization,
  InboundPort,
  InboundRoute,
  InboundWorkload,
  Protocol,
  RateLimit,
  ResourceRef,
} from "../core/snapshot.ts";
import { spiffeId } from "../kube/instances.ts";
import { type AuthorizationPolicy, keyOf, type ObjectRef, type Server } from "../kube/resources.ts";
import type { ResourceSet } from "../kube/store.ts";
import { clientsRoute, serversAt, serversByNamespace, targetProblem } from "./_policy_target.ts";
import { protocolOf, serverProtocol } from "./_protocol.ts";
import { buildRateLimits } from "./_rate_limits.ts";
import type { Report } from "./_report.ts";
import { type RankedRule, rankRules, type Route, routeRef } from "./_routes.ts";
import type { IndexOptions, Instance } from "./_workloads.ts";

export const POLICY_GROUP = "policy.tulle.dev";

/** Policies and routes by what they are attached to, computed once per world. */
export interface PolicyIndex {
  /** By namespace, older first. */
  readonly servers: ReadonlyMap<string, readonly Server[]>;
  /** By "Kind namespace/name" of the target. */
  readonly authorizations: ReadonlyMap<string, readonly Authorization[]>;
  /** Routes by "namespace/server". */
  readonly routes: ReadonlyMap<string, readonly Route[]>;
  /** By "Kind namespace/name". */
  readonly rateLimits: ReadonlyMap<string, RateLimit>;
}

export function buildPolicies(
  set: ResourceSet,
  routes: ReadonlyMap<string, readonly Route[]>,
  options: IndexOptions,
  report: Report,
): PolicyIndex {
  const servers = serversByNamespace(set);
  const authorizations = new Map<string, Authorization[]>();
  for (const policy of set.list("AuthorizationPolicy")) {
    const target = targetKey(policy, set, report);
    const authorization = target === null ? null : readAuthorization(policy, set, options, report);
    if (target === null || authorization === null) continue;
    const list = authorizations.get(target);
    if (list === undefined) authorizations.set(target, [authorization]);
    else list.push(authorization);
  }
  return { servers, authorizations, routes, rateLimits: buildRateLimits(set, options, report) };
}

/** @param zone "" when unknown */
export function inboundWorkload(
  instance: Instance,
  policies: PolicyIndex,
  options: IndexOptions,
  report: Report,
  zone: string,
): InboundWorkload {
  const { namespace, name, identity, workload, defaultPolicy } = instance;
  const ports = new Map<number, InboundPort>();
  for (const { server, port, holder } of serversAt(workload, policies.servers.get(namespace) ?? [])) {
    if (port === null) report.warn(keyOf(server), `${keyOf(workload)} has no port named ${server.port}`);
    else if (holder === null) ports.set(port, serverPort(server, port, instance, policies, report));
    else {
      const detail = `port ${port} of ${keyOf(workload)} is selected by ${keyOf(holder)} already`;
      report.warn(keyOf(server), `${detail}, which is older or comes first by name: this one does not hold there`);
    }
  }
  // Without a Server only denials of the whole namespace hold: an admission would widen nothing but the default.
  const ofNamespace = policies.authorizations.get(`Namespace ${namespace}`) ?? [];
  const denials = ofNamespace.filter(({ action }) => action === "deny");
  for (const { port, protocol } of workload.ports) {
    if (protocol === "TCP" && !ports.has(port)) ports.set(port, openPort(instance, port, denials));
  }
  // A probe may go to a port that no container declares.
  for (const { port } of instance.probes) if (!ports.has(port)) ports.set(port, openPort(instance, port, denials));
  return {
    workload: { namespace, name },
    identity,
    ports: [...ports.values()].sort((a, b) => a.port - b.port),
    defaultPolicy,
    clusterNetworks: options.clusterNetworks,
    probeNetworks: instance.probes.length > 0 ? options.probeNetworks : [],
    zone,
    denials,
  };
}

/** A port that no Server selects. */
function openPort(instance: Instance, port: number, denials: readonly Authorization[]): InboundPort {
  return {
    port,
    protocol: declaredProtocol(instance, port),
    server: null,
    authorizations: denials,
    routes: [],
    defaultPolicy: instance.defaultPolicy,
    probePaths: probePaths(instance, port),
    rateLimit: null,
  };
}

function probePaths({ probes }: Instance, port: number): readonly string[] {
  return probes.filter((probe) => probe.port === port).map(({ path }) => path);
}

function declaredProtocol(instance: Instance, port: number): Protocol {
  const own = instance.workload.ports.find((candidate) => candidate.port === port);
  if (instance.opaquePorts?.has(port, own?.name ?? "") === true) return "opaque";
  return protocolOf(own?.appProtocol ?? null);
}

function serverPort(
  server: Server,
  port: number,
  instance: Instance,
  policies: PolicyIndex,
  report: Report,
): InboundPort {
  const { namespace, name } = server.meta;
  const said = serverProtocol(server.proxyProtocol);
  const routes = policies.routes.get(`${namespace}/${name}`) ?? [];
  const open: InboundPort = {
    port,
    protocol: said === "detect" ? declaredProtocol(instance, port) : said,
    server: { group: POLICY_GROUP, kind: "Server", namespace, name, section: String(port) },
    authorizations: [
      ...policies.authorizations.get(`Server ${namespace}/${name}`) ?? [],
      ...policies.authorizations.get(`Namespace ${namespace}`) ?? [],
    ],
    routes: rankRules(routes).map((ranked) => inboundRoute(ranked, policies)),
    defaultPolicy: server.accessPolicy,
    probePaths: probePaths(instance, port),
    rateLimit: policies.rateLimits.get(`Server ${namespace}/${name}`) ?? null,
  };
  const unreadable = routes.filter((route) => route.unreadable !== undefined);
  for (const route of unreadable) {
    const detail = `it cannot be read, so it does not hold: ${keyOf(server)} refuses all requests until it can`;
    report.warn(keyOf(route), `${detail}: ${route.unreadable}`);
  }
  return unreadable[0] === undefined ? open : closed(open, unreadable[0]);
}

/**
 * A port one of whose routes is known to be there, and nothing more: any request may be the one that a denial of that route is
 * for, or that another route must not admit. Probes are let in, as they are whatever is not denied.
 */
function closed(port: InboundPort, route: Route): InboundPort {
  const everything = { route: routeRef(route, ""), hostnames: [], matches: [], authorizations: [], rateLimit: null };
  const authorizations = port.authorizations.filter(({ action }) => action === "deny");
  return { ...port, authorizations, routes: [everything], defaultPolicy: "deny" };
}

function inboundRoute({ route, ref, hostname, match }: RankedRule, policies: PolicyIndex): InboundRoute {
  const key = `${route.kind} ${route.meta.namespace}/${route.meta.name}`;
  return {
    route: ref,
    hostnames: hostname === null ? [] : [hostname],
    // What admits to a gRPC method admits to nothing else that has its path.
    matches: [route.kind === "GRPCRoute" ? { ...match, method: "POST" } : match],
    authorizations: policies.authorizations.get(key) ?? [],
    rateLimit: policies.rateLimits.get(key) ?? null,
  };
}

/** What a policy is attached to; null, with a warning, when that does not exist. */
function targetKey(policy: AuthorizationPolicy, set: ResourceSet, report: Report): string | null {
  const problem = targetProblem(policy, set)?.detail ?? clientsRoute(policy, set, "judged");
  if (problem !== null) {
    report.warn(keyOf(policy), problem);
    return null;
  }
  const { kind, name } = policy.target;
  const own = policy.meta.namespace;
  return kind === "Namespace" ? `Namespace ${own}` : `${kind} ${own}/${name}`;
}

/**
 * Resolves the authentications. One that does not exist makes an admission void and a denial total: whoever wrote the policy
 * wanted to keep somebody out, and cannot be read as letting them in.
 */
function readAuthorization(
  policy: AuthorizationPolicy,
  set: ResourceSet,
  options: IndexOptions,
  report: Report,
): Authorization | null {
  const authentications: Authentication[] = [];
  for (const ref of policy.authentications) {
    const found = readAuthentication(ref, ref.namespace ?? policy.meta.namespace, set, options, report);
    if (found !== null) {
      authentications.push(found);
      continue;
    }
    const missing = `its ${ref.kind} ${ref.namespace ?? policy.meta.namespace}/${ref.name} does not exist`;
    if (policy.action === "Allow") {
      report.warn(keyOf(policy), `${missing}: it admits nobody`);
      return null;
    }
    report.warn(keyOf(policy), `${missing}: it denies whatever that might have narrowed`);
  }
  const { namespace, name } = policy.meta;
  return {
    policy: { group: POLICY_GROUP, kind: "AuthorizationPolicy", namespace, name, section: "" },
    action: policy.action === "Allow" ? "allow" : "deny",
    mode: policy.mode,
    authentications,
  };
}

function readAuthentication(
  ref: ObjectRef,
  namespace: string,
  set: ResourceSet,
  options: IndexOptions,
  report: Report,
): Authentication | null {
  const source: ResourceRef = { group: ref.group, kind: ref.kind, namespace, name: ref.name, section: "" };
  if (ref.kind === "ServiceAccount") {
    return { kind: "mesh_tls", source, identities: [spiffeId(options.trustDomain, namespace, ref.name)] };
  }
  if (ref.kind === "NetworkAuthentication") {
    const found = set.get("NetworkAuthentication", namespace, ref.name);
    return found === null ? null : { kind: "networks", source, networks: found.networks };
  }
  const found = set.get("MeshTLSAuthentication", namespace, ref.name);
  if (found === null) return null;
  const foreign = found.identities.filter((id) => id !== "*" && !id.startsWith(`spiffe://${options.trustDomain}/`));
  for (const id of foreign) {
    const detail = `its identity ${id} is not of the trust domain ${options.trustDomain}`;
    report.warn(keyOf(found), `${detail}: whoever has it is refused before any policy is asked`);
  }
  const fromRefs = found.identityRefs.map((identity) =>
    identity.kind === "Namespace"
      ? spiffeId(options.trustDomain, identity.name, "*")
      : spiffeId(options.trustDomain, identity.namespace ?? namespace, identity.name)
  );
  return { kind: "mesh_tls", source, identities: [...found.identities, ...fromRefs] };
}
