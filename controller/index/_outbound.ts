/** What a client's proxy must know about a Service: routes in order, backends with their endpoints. */
import {
  type Backend,
  type HeaderEdit,
  INVALID_BACKEND,
  type OutboundRoute,
  type OutboundTarget,
  type ResourceRef,
  type Retry,
  type WeightedBackend,
} from "../core/snapshot.ts";
import { type BackendRef, keyOf, type RouteFilter, type Service, type ServicePort } from "../kube/resources.ts";
import { type TrafficAnnotations, trafficOf } from "./_annotations.ts";
import { type RankedRule, rankRules, type Route } from "./_routes.ts";
import { serviceBackend, type ServiceContext, servicePort, serviceRef } from "./_services.ts";

/** Routes by "namespace/service", as their parentRefs name it. */
export type RoutesByService = ReadonlyMap<string, readonly { readonly route: Route; readonly port: number | null }[]>;

export interface OutboundContext extends ServiceContext {
  readonly routes: RoutesByService;
  readonly clusterDomain: string;
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
  const rules = rankRules(routesFor(service, port, sourceNamespace, context));
  const traffic = trafficOf(service.meta, context.report);
  const routes = rules.map((rule) => outboundRoute(rule, traffic, backends, context));
  return {
    known: true,
    parent: own.backend,
    authority: authorityOf(service, port.port, context.clusterDomain),
    port: port.port,
    protocol: own.protocol,
    routes: [...routes, serviceRoute(own.backend, traffic)],
    backends: backends.list,
  };
}

function authorityOf(service: Service, port: number, clusterDomain: string): string {
  return `${service.meta.name}.${service.meta.namespace}.svc.${clusterDomain}:${port}`;
}

/** GAMMA: routes in the client's own namespace (consumer routes) take the place of those beside the Service (producer routes). */
function routesFor(service: Service, port: ServicePort, sourceNamespace: string, context: OutboundContext): Route[] {
  const { namespace, name } = service.meta;
  const all = (context.routes.get(`${namespace}/${name}`) ?? [])
    .filter((parent) => parent.port === null || parent.port === port.port)
    .map((parent) => parent.route);
  const consumer = all.filter((route) => route.meta.namespace === sourceNamespace && sourceNamespace !== namespace);
  const chosen = consumer.length > 0 ? consumer : all.filter((route) => route.meta.namespace === namespace);
  return [...new Set(chosen)];
}

/** The last route: what no rule matches goes to the Service itself. */
function serviceRoute(ref: ResourceRef, traffic: TrafficAnnotations): OutboundRoute {
  return {
    route: ref,
    hostnames: [],
    matches: [],
    backends: [{ backend: 0, weight: 1 }],
    requestTimeoutMs: traffic.requestTimeoutMs,
    backendTimeoutMs: traffic.backendTimeoutMs,
    retry: traffic.retry,
    requestHeaders: null,
    responseHeaders: null,
  };
}

function outboundRoute(
  { route, rule, ref, hostname, match }: RankedRule,
  service: TrafficAnnotations,
  backends: BackendTable,
  { report }: OutboundContext,
): OutboundRoute {
  // The nearest word holds: the annotation of the route, its rule's field, the annotation of the Service.
  const own = trafficOf(route.meta, report);
  const unsupported = rule.filters.some((filter) => filter.kind === "unsupported");
  const invalid: WeightedBackend[] = [{ backend: INVALID_BACKEND, weight: 1 }];
  return {
    route: ref,
    hostnames: hostname === null ? [] : [hostname],
    matches: match.path === null && match.headers.length + match.query.length === 0 && match.method === null
      ? []
      : [match],
    backends: unsupported ? invalid : weighted(rule.backendRefs, route, backends),
    requestTimeoutMs: limit(own.requestTimeoutMs ?? rule.requestTimeoutMs ?? service.requestTimeoutMs),
    backendTimeoutMs: limit(own.backendTimeoutMs ?? rule.backendTimeoutMs ?? service.backendTimeoutMs),
    retry: own.retry ?? ruleRetry(rule.retry) ?? service.retry,
    requestHeaders: editOf(rule.filters, "request_headers"),
    responseHeaders: editOf(rule.filters, "response_headers"),
  };
}

/** GEP-2257: "0s" is no limit. */
function limit(ms: number | null): number | null {
  return ms === 0 ? null : ms;
}

function ruleRetry(retry: RankedRule["rule"]["retry"]): Retry | null {
  if (retry === null) return null;
  const { attempts, codes: statusCodes, backoffMs } = retry;
  return { limit: attempts ?? 1, statusCodes, grpcCodes: [], connectionError: true, backoffMs };
}

function editOf(filters: readonly RouteFilter[], kind: "request_headers" | "response_headers"): HeaderEdit | null {
  for (const filter of filters) if (filter.kind === kind) return filter.edit;
  return null;
}

/** No backendRefs: the Service the route is attached to. All weights 0, or none valid: 500. */
function weighted(refs: readonly BackendRef[], route: Route, backends: BackendTable): WeightedBackend[] {
  if (refs.length === 0) return [{ backend: 0, weight: 1 }];
  const shares = refs.map((ref) => ({ backend: backends.indexOf(ref, route), weight: ref.weight }));
  return shares.every((share) => share.weight === 0) ? [{ backend: INVALID_BACKEND, weight: 1 }] : shares;
}

/** Backends of one target, each once; the Service itself is number 0. */
class BackendTable {
  readonly list: Backend[];
  readonly #context: OutboundContext;

  constructor(own: Backend, context: OutboundContext) {
    this.list = [own];
    this.#context = context;
  }

  /** Index of the backend a reference means, INVALID_BACKEND when it means none. */
  indexOf(ref: BackendRef, route: Route): number {
    const { set, report } = this.#context;
    const namespace = ref.namespace ?? route.meta.namespace;
    const object = keyOf(route);
    if (ref.group !== "" || ref.kind !== "Service") {
      report.warn(object, `its backend ${ref.kind} ${ref.name} is no Service: its share is answered with 500`);
      return INVALID_BACKEND;
    }
    if (ref.filters.length > 0) {
      report.warn(object, `filters of its backend ${ref.name} are not carried out: its share is answered with 500`);
      return INVALID_BACKEND;
    }
    const service = set.get("Service", namespace, ref.name);
    if (service === null) {
      report.warn(
        object,
        `its backend Service ${namespace}/${ref.name} does not exist: its share is answered with 500`,
      );
      return INVALID_BACKEND;
    }
    const port = servicePort(service, ref.port ?? 0);
    if (port === null) {
      const detail =
        `its backend Service ${namespace}/${ref.name} has no TCP port ${ref.port}: its share is answered with 500`;
      report.warn(object, detail);
      return INVALID_BACKEND;
    }
    const known = this.list.findIndex(({ backend, port: number }) =>
      backend.namespace === namespace && backend.name === ref.name && number === port.port
    );
    if (known >= 0) return known;
    return this.list.push(serviceBackend(service, port, this.#context)) - 1;
  }
}
