/** What a client's proxy must know about a Service: routes in order, backends with their endpoints. */
import {
  type HttpMatch,
  INVALID_BACKEND,
  type OutboundRoute,
  type OutboundTarget,
  type ResourceRef,
  type Retry,
  type ValueMatch,
  type WeightedBackend,
} from "../core/snapshot.ts";
import { type BackendRef, keyOf, type ParentRef, type Service, type ServicePort } from "../kube/resources.ts";
import { type TrafficAnnotations, trafficOf } from "./_annotations.ts";
import { BackendTable } from "./_backend_table.ts";
import { areShareFilters, editOf, planOf, shareFilters } from "./_route_plan.ts";
import type { Report } from "./_report.ts";
import { type FaultIndex, spoiled } from "./_faults.ts";
import type { EgressIndex } from "./_egress.ts";
import { type AnyRoute, type RankedRule, rankRules } from "./_routes.ts";
import { serviceBackend, type ServiceContext, serviceRef } from "./_services.ts";

const HTTP_KINDS: ReadonlySet<AnyRoute["kind"]> = new Set(["HTTPRoute", "GRPCRoute"] as const);
const STREAM_KINDS: ReadonlySet<AnyRoute["kind"]> = new Set(["TCPRoute", "TLSRoute"] as const);

/** Routes by "namespace/service", as their parentRefs name it. */
export type RoutesByService = ReadonlyMap<string, readonly { readonly route: AnyRoute; readonly parent: ParentRef }[]>;

export interface OutboundContext extends ServiceContext {
  readonly routes: RoutesByService;
  readonly clusterDomain: string;
  readonly egress: EgressIndex;
  readonly faults: FaultIndex;
}

/** A target of a Service's address at a port it does not declare: known, and refused. */
export function undeclaredPort(service: Service, port: number, clusterDomain: string): OutboundTarget {
  const authority = authorityOf(service, port, clusterDomain);
  return {
    known: true,
    parent: serviceRef(service, port),
    authority,
    port,
    protocol: "detect",
    routes: [],
    backends: [],
    streamRoutes: [],
    egress: null,
  };
}

/** A declared port of a Service as a client in `sourceNamespace` sees it. */
export function serviceTarget(
  service: Service,
  port: ServicePort,
  sourceNamespace: string,
  context: OutboundContext,
): OutboundTarget {
  const own = serviceBackend(service, port, context);
  const backends = new BackendTable(own, context);
  const traffic = trafficOf(service.meta, context.report);
  const name = `${service.meta.namespace}/${service.meta.name}`;
  const routesOf = (kinds: ReadonlySet<AnyRoute["kind"]>) =>
    rankRules(routesFor(service, port, kinds, sourceNamespace, context))
      .map((rule) => spoiled(outboundRoute(rule, traffic, backends, context), name, context.faults));
  const routes = routesOf(HTTP_KINDS);
  const streams = routesOf(STREAM_KINDS);
  const rest = [spoiled(serviceRoute(own.backend, traffic), name, context.faults)];
  const unnamed = streams.filter(({ hostnames }) => hostnames.length === 0);
  return {
    known: true,
    parent: own.backend,
    authority: authorityOf(service, port.port, context.clusterDomain),
    port: port.port,
    protocol: own.protocol,
    // Who has routes says by them what there is: the Gateway API answers 404 to the rest. HTTP is TCP, too, but a route for it
    // comes before one for any TCP.
    routes: routes.length > 0 ? routes : unnamed.length > 0 ? unnamed : rest,
    backends: backends.list,
    streamRoutes: streams.length > 0 ? streams : routes.length > 0 ? rest : [],
    egress: null,
  };
}

function authorityOf(service: Service, port: number, clusterDomain: string): string {
  return `${service.meta.name}.${service.meta.namespace}.svc.${clusterDomain}:${port}`;
}

/** GAMMA: routes in the client's own namespace (consumer routes) take the place of those beside the Service (producer routes). */
function routesFor(
  service: Service,
  port: ServicePort,
  kinds: ReadonlySet<AnyRoute["kind"]>,
  sourceNamespace: string,
  context: OutboundContext,
): AnyRoute[] {
  const { namespace, name } = service.meta;
  const all = (context.routes.get(`${namespace}/${name}`) ?? [])
    .filter(({ route, parent }) => kinds.has(route.kind) && isMeant(parent, port))
    .map(({ route }) => route);
  const consumer = all.filter((route) => route.meta.namespace === sourceNamespace && sourceNamespace !== namespace);
  const chosen = consumer.length > 0 ? consumer : all.filter((route) => route.meta.namespace === namespace);
  return [...new Set(chosen)];
}

/** Whether a parentRef to a Service means this port of it; its sectionName is the port's name. */
export function isMeant(parent: ParentRef, port: ServicePort): boolean {
  return (parent.port === null || parent.port === port.port) &&
    (parent.sectionName === null || parent.sectionName === port.name);
}

/** Where there are no routes, everything goes to the Service itself. */
function serviceRoute(ref: ResourceRef, traffic: TrafficAnnotations): OutboundRoute {
  return {
    route: ref,
    hostnames: [],
    matches: [],
    backends: OWN,
    requestTimeoutMs: traffic.requestTimeoutMs,
    backendTimeoutMs: traffic.backendTimeoutMs,
    retry: traffic.retry,
    requestHeaders: null,
    responseHeaders: null,
    plan: null,
  };
}

function outboundRoute(
  { route, rule, ref, hostname, match: ranked }: RankedRule,
  service: TrafficAnnotations,
  backends: BackendTable,
  { report }: OutboundContext,
): OutboundRoute {
  // The nearest word holds: the annotation of the route, its rule's field, the annotation of the Service.
  const own = trafficOf(route.meta, report);
  const match = route.kind === "GRPCRoute" ? callsOnly(ranked) : ranked;
  const unsupported = rule.filters.some((filter) => filter.kind === "unsupported");
  return {
    route: ref,
    hostnames: hostname === null ? [] : [hostname],
    matches: match.path === null && match.headers.length + match.query.length === 0 && match.method === null
      ? []
      : [match],
    backends: unsupported ? NOBODY : weighted(rule.backendRefs, route, backends, report),
    requestTimeoutMs: limit(own.requestTimeoutMs ?? rule.requestTimeoutMs ?? service.requestTimeoutMs),
    backendTimeoutMs: limit(own.backendTimeoutMs ?? rule.backendTimeoutMs ?? service.backendTimeoutMs),
    retry: own.retry ?? ruleRetry(rule.retry) ?? service.retry,
    requestHeaders: editOf(rule.filters, "request_headers"),
    responseHeaders: editOf(rule.filters, "response_headers"),
    plan: unsupported ? null : planOf(rule, route, backends),
  };
}

/**
 * A GRPCRoute is for calls: what else comes to the port goes by an HTTPRoute, or by none. That a call has been told from the rest
 * gives its route no precedence.
 */
function callsOnly(match: HttpMatch): HttpMatch {
  return { ...match, method: "POST", headers: [...match.headers, CALL] };
}

/** "application/grpc" with what may follow it: "+proto", "-web", parameters. */
const CALL: ValueMatch = { name: "content-type", match: { kind: "regex", value: "application/grpc.*" } };

/** GEP-2257: "0s" is no limit. */
function limit(ms: number | null): number | null {
  return ms === 0 ? null : ms;
}

function ruleRetry(retry: RankedRule["rule"]["retry"]): Retry | null {
  if (retry === null) return null;
  const { attempts, codes: statusCodes, backoffMs } = retry;
  return { limit: attempts ?? 1, statusCodes, grpcCodes: [], connectionError: true, backoffMs };
}

const OWN: readonly WeightedBackend[] = [{ backend: 0, weight: 1, filters: null }];
const NOBODY: readonly WeightedBackend[] = [{ backend: INVALID_BACKEND, weight: 1, filters: null }];
const REFUSED = "its share is answered with 500";

/** No backendRefs: the Service the route is attached to. All weights 0, or none valid: 500. */
function weighted(
  refs: readonly BackendRef[],
  route: AnyRoute,
  backends: BackendTable,
  report: Report,
): readonly WeightedBackend[] {
  if (refs.length === 0) return OWN;
  const shares = refs.map((ref): WeightedBackend => {
    if (areShareFilters(ref.filters)) {
      const filters = shareFilters(ref.filters, route, backends);
      return { backend: backends.indexOf(ref, route, REFUSED), weight: ref.weight, filters };
    }
    report.warn(keyOf(route), `a filter of its backend ${ref.name} is not carried out: ${REFUSED}`);
    return { backend: INVALID_BACKEND, weight: ref.weight, filters: null };
  });
  return shares.every((share) => share.weight === 0) ? NOBODY : shares;
}
