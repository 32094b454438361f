/** Which of several rules wins: the order of the Gateway API, as a sort of single matches. */
import type { HttpMatch } from "../core/snapshot.ts";
import type { Meta } from "../kube/resources.ts";

/** One match of one rule under one host name (null: any), and where it comes from. */
export interface Ranked {
  readonly hostname: string | null;
  readonly match: HttpMatch;
  /** How closely the path (of gRPC: service and method) is told; more wins. */
  readonly pathRank: number;
  readonly meta: Meta;
  readonly ruleIndex: number;
  readonly matchIndex: number;
}

/**
 * Orders by: longest host name without wildcard, longest with one, exact path, regular expression, longest prefix, method,
 * number of headers, number of query parameters; then the older route, then its namespace/name, then the order in the route.
 * The API leaves the place of regular expressions open: before prefixes, so that a catch-all prefix does not hide them.
 */
export function comparePrecedence(a: Ranked, b: Ranked): number {
  return hostRank(b.hostname) - hostRank(a.hostname) ||
    b.pathRank - a.pathRank ||
    Number(b.match.method !== null) - Number(a.match.method !== null) ||
    b.match.headers.length - a.match.headers.length ||
    b.match.query.length - a.match.query.length ||
    compareAge(a.meta, b.meta) ||
    a.ruleIndex - b.ruleIndex ||
    a.matchIndex - b.matchIndex;
}

/** Older first, then by namespace/name. Objects of unknown age (files) count as younger than all others. */
export function compareAge(a: Meta, b: Meta): number {
  const left = a.createdMs ?? Infinity;
  const right = b.createdMs ?? Infinity;
  if (left !== right) return left < right ? -1 : 1;
  const leftName = `${a.namespace}/${a.name}`;
  const rightName = `${b.namespace}/${b.name}`;
  return leftName < rightName ? -1 : leftName > rightName ? 1 : 0;
}

/** Above any length of a host name (253) and of a path (1024). */
const STEP = 4096;

function hostRank(hostname: string | null): number {
  if (hostname === null) return 0;
  return hostname.startsWith("*.") ? hostname.length : STEP + hostname.length;
}

/** Rank of an HTTP path: exact, regular expression, longest prefix; none is the prefix "/". */
export function httpPathRank(path: HttpMatch["path"]): number {
  if (path === null) return 1;
  switch (path.kind) {
    case "exact":
      return 2 * STEP + path.value.length;
    case "regex":
      return STEP + path.value.length;
    case "prefix":
      return Math.max(1, path.value.replace(/\/$/, "").length);
  }
}

/** Rank of a gRPC method: characters of the service, then of the method. */
export function grpcPathRank(serviceLength: number, methodLength: number): number {
  return serviceLength + methodLength === 0 ? 1 : 3 * STEP + serviceLength * STEP + methodLength;
}
