/**
 * Requests that a rule of Istio's policy speaks of, and how two such sets lie to each other.
 *
 * A request meets one route of a Server: the closest. So an admission is attached to a route only when it holds for all of
 * its requests, and a denial when it may hold for one of them; where that cannot be told, access becomes stricter.
 */
import { escapePattern } from "./istio_match.ts";
import type { Json } from "./view.ts";

export interface PathSpec {
  readonly kind: "exact" | "prefix" | "suffix" | "pattern";
  readonly value: string;
}

/** A conjunction; null and [] stand for anything. */
export interface RequestSet {
  readonly method: string | null;
  readonly path: PathSpec | null;
  /** Host name, with "*." in front for all below it. */
  readonly host: string | null;
  readonly headers: readonly Json[];
}

export const EVERY_REQUEST: RequestSet = { method: null, path: null, host: null, headers: [] };

/** Whether a set leaves nothing out. */
export function isEverything({ method, path, host, headers }: RequestSet): boolean {
  return method === null && path === null && host === null && headers.length === 0;
}

/** Istio's "/exact", "/prefix*", "*\/suffix", "*" and templates with {*} and {**}. */
export function readPath(text: string): PathSpec | null {
  if (text === "*") return null;
  if (text.includes("{*}") || text.includes("{**}")) {
    const value = text.split(/(\{\*\*?\})/).map((part) =>
      part === "{*}" ? "[^/]+" : part === "{**}" ? ".*" : escapePattern(part)
    );
    return { kind: "pattern", value: value.join("") };
  }
  if (text.endsWith("*")) return { kind: "prefix", value: text.slice(0, -1) };
  if (text.startsWith("*")) return { kind: "suffix", value: text.slice(1) };
  return { kind: "exact", value: text };
}

/** As a match of an HTTPRoute: a prefix of Istio may end within an element, so it becomes a pattern. */
export function matchOf({ method, path, headers }: RequestSet): Json {
  return {
    ...(path === null ? {} : { path: renderPath(path) }),
    ...(headers.length === 0 ? {} : { headers }),
    ...(method === null ? {} : { method }),
  };
}

function renderPath({ kind, value }: PathSpec): Json {
  const text = escapePattern(value);
  switch (kind) {
    case "exact":
      return { type: "Exact", value };
    case "prefix":
      return value === "/" ? { type: "PathPrefix", value } : { type: "RegularExpression", value: `${text}.*` };
    case "suffix":
      return { type: "RegularExpression", value: `.*${text}` };
    case "pattern":
      return { type: "RegularExpression", value };
    default:
      return kind satisfies never;
  }
}

/** Whether every request of `inner` is one of `outer`; false when that cannot be told. */
export function contains(outer: RequestSet, inner: RequestSet): boolean {
  if (outer.method !== null && outer.method !== inner.method) return false;
  if (outer.host !== null && outer.host !== inner.host) return false;
  const has = new Set(inner.headers.map((header) => JSON.stringify(header)));
  if (!outer.headers.every((header) => has.has(JSON.stringify(header)))) return false;
  return outer.path === null || (inner.path !== null && pathContains(outer.path, inner.path));
}

function pathContains(outer: PathSpec, inner: PathSpec): boolean {
  if (outer.kind === inner.kind && outer.value === inner.value) return true;
  if (outer.kind === "prefix") {
    return (inner.kind === "exact" || inner.kind === "prefix") && inner.value.startsWith(outer.value);
  }
  if (outer.kind === "suffix") {
    return (inner.kind === "exact" || inner.kind === "suffix") && inner.value.endsWith(outer.value);
  }
  return false;
}

/** Whether a request may be in both; true when that cannot be told. */
export function overlaps(a: RequestSet, b: RequestSet): boolean {
  if (a.method !== null && b.method !== null && a.method !== b.method) return false;
  const isPlainHost = (host: string | null) => host !== null && !host.startsWith("*");
  if (isPlainHost(a.host) && isPlainHost(b.host) && a.host !== b.host) return false;
  return a.path === null || b.path === null || pathsOverlap(a.path, b.path);
}

function pathsOverlap(a: PathSpec, b: PathSpec): boolean {
  if (a.kind === "exact" && b.kind === "exact") return a.value === b.value;
  if (b.kind === "exact") return pathsOverlap(b, a);
  if (a.kind === "exact" && b.kind === "prefix") return a.value.startsWith(b.value);
  if (a.kind === "exact" && b.kind === "suffix") return a.value.endsWith(b.value);
  if (a.kind === "prefix" && b.kind === "prefix") return a.value.startsWith(b.value) || b.value.startsWith(a.value);
  return true;
}

/** Above any length of a host name and of a path. */
const STEP = 4096;

/** Whether the route of `a` surely decides on requests that are in both, before the route of `b` (Gateway API's order). */
export function outranks(a: RequestSet, b: RequestSet): boolean {
  const order = rankOf(a).map((rank, i) => rank - (rankOf(b)[i] ?? 0)).find((difference) => difference !== 0) ?? 0;
  return order > 0;
}

/** Host name, path, method, headers: as `controller/index` ranks them. */
function rankOf({ host, path, method, headers }: RequestSet): number[] {
  const byHost = host === null ? 0 : host.startsWith("*.") ? host.length : STEP + host.length;
  const rendered = path === null ? null : renderPath(path);
  const length = String(rendered?.["value"] ?? "").length;
  const byPath = rendered?.["type"] === "Exact"
    ? 2 * STEP + length
    : rendered?.["type"] === "RegularExpression"
    ? STEP + length
    : 1;
  return [byHost, byPath, method === null ? 0 : 1, headers.length];
}
