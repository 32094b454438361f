/** From HTTPRoutes and GRPCRoutes to matches in order of precedence; shared by both directions. */
import type { HttpMatch, ResourceRef, ValueMatch } from "../core/snapshot.ts";
import type {
  AnyRoute,
  GrpcRoute,
  GrpcRouteMatch,
  HttpRoute,
  HttpRouteMatch,
  RouteRule,
  TcpRoute,
  TextMatch,
  TlsRoute,
} from "../kube/resources.ts";
import { comparePrecedence, grpcPathRank, httpPathRank, type Ranked } from "./_precedence.ts";

export type Route = HttpRoute | GrpcRoute;
/** Routes of connections that are not HTTP. */
export type StreamRoute = TcpRoute | TlsRoute;
export type { AnyRoute };

/** One match of one rule, in its place. */
export interface RankedRule extends Ranked {
  readonly route: AnyRoute;
  readonly rule: RouteRule<HttpRouteMatch> | RouteRule<GrpcRouteMatch> | RouteRule<never>;
  readonly ref: ResourceRef;
}

const ANYTHING: HttpMatch = { path: null, headers: [], query: [], method: null };

/** Every match of every rule of the routes, each by itself, the one that wins first. */
export function rankRules(routes: readonly AnyRoute[]): RankedRule[] {
  const ranked: RankedRule[] = [];
  for (const route of routes) {
    const hostnames = route.hostnames.length > 0 ? route.hostnames : [null];
    route.rules.forEach((rule, ruleIndex) => {
      if (rule.dropped !== undefined) return;
      const ref = routeRef(route, rule.name ?? String(ruleIndex));
      const matches = matchesOf(route, ruleIndex);
      for (const hostname of hostnames) {
        matches.forEach(({ match, pathRank }, matchIndex) =>
          ranked.push({ hostname, match, pathRank, meta: route.meta, ruleIndex, matchIndex, route, rule, ref })
        );
      }
    });
  }
  return ranked.sort(comparePrecedence);
}

export function routeRef(route: AnyRoute, section: string): ResourceRef {
  const { namespace, name } = route.meta;
  return { group: "gateway.networking.k8s.io", kind: route.kind, namespace, name, section };
}

interface RankedMatch {
  readonly match: HttpMatch;
  readonly pathRank: number;
}

function matchesOf(route: AnyRoute, ruleIndex: number): readonly RankedMatch[] {
  const matches = route.kind === "HTTPRoute"
    ? route.rules[ruleIndex]?.matches.map(httpMatch) ?? []
    : route.kind === "GRPCRoute"
    ? route.rules[ruleIndex]?.matches.map(grpcMatch) ?? []
    : [];
  return matches.length > 0 ? matches : [{ match: ANYTHING, pathRank: 1 }];
}

function httpMatch({ path, headers, query, method }: HttpRouteMatch): RankedMatch {
  return { match: { path, headers: headers.map(lowerName), query, method }, pathRank: httpPathRank(path) };
}

/** gRPC calls are POSTs to /service/method. */
function grpcMatch({ service, method, headers }: GrpcRouteMatch): RankedMatch {
  const match: HttpMatch = {
    path: grpcPath(service, method),
    headers: headers.map(lowerName),
    query: [],
    method: null,
  };
  return { match, pathRank: grpcPathRank(service?.value.length ?? 0, method?.value.length ?? 0) };
}

function grpcPath(service: TextMatch | null, method: TextMatch | null): HttpMatch["path"] {
  if (service === null && method === null) return null;
  if (service?.kind === "exact" && method?.kind === "exact") {
    return { kind: "exact", value: `/${service.value}/${method.value}` };
  }
  if (service?.kind === "exact" && method === null) return { kind: "prefix", value: `/${service.value}` };
  return { kind: "regex", value: `/${part(service)}/${part(method)}` };
}

function part(match: TextMatch | null): string {
  if (match === null) return "[^/]+";
  return match.kind === "regex" ? `(?:${match.value})` : match.value.replace(/\./g, "\\.");
}

function lowerName(match: ValueMatch): ValueMatch {
  return { name: match.name.toLowerCase(), match: match.match };
}
