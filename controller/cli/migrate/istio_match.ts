/** Conditions of Istio's VirtualService → matches of an HTTPRoute. */
import type { Json, View } from "./view.ts";

const METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];

/** A match, and what of it is said by its route instead. */
export interface RouteMatch {
  readonly match: Json;
  readonly port: number | null;
  /** How the path is told, for rewrites. */
  readonly path: "exact" | "prefix" | "regex" | null;
  readonly hostname: string | null;
}

/** @returns null for a match that cannot be said: it is listed, and must not become a wider one */
export function readMatch(view: View): RouteMatch | null {
  const match: Json = {};
  let isSaid = true;
  const refuse = (key: string, reason: string) => {
    view.say("lost", "", `${key}: ${reason}; the match is left out`);
    isSaid = false;
  };
  view.skip("name");
  const uri = view.view("uri");
  const ignoresCase = view.flag("ignoreUriCase");
  let path: RouteMatch["path"] = null;
  if (uri !== null) {
    const found = pathMatch(uri, ignoresCase);
    if (found === null) refuse("uri", "found neither exact, prefix nor regex");
    else {
      match["path"] = found.match;
      path = found.kind;
    }
  }
  const method = view.view("method");
  if (method !== null) {
    const exact = method.text("exact");
    method.skip("prefix", "regex");
    method.done("lost");
    if (exact !== null && METHODS.includes(exact)) match["method"] = exact;
    else refuse("method", `want one of ${METHODS.join(", ")}`);
  }
  const headers = namedMatches(view, "headers", refuse);
  const query = namedMatches(view, "queryParams", refuse);
  if (headers.length > 0) match["headers"] = headers;
  if (query.length > 0) match["queryParams"] = query;
  const port = view.number("port");
  const host = view.view("authority");
  const authority = host?.text("exact") ?? null;
  host?.skip("prefix", "regex");
  host?.done("lost");
  if (view.has("authority") && authority === null) refuse("authority", "only an exact host name can be said");
  for (const key of ["withoutHeaders", "sourceLabels", "sourceNamespace", "scheme"]) {
    if (!view.has(key)) continue;
    view.skip(key);
    refuse(key, "cannot be asked for");
  }
  if (view.raw("statPrefix") !== undefined) view.say("lost", "statPrefix", "metrics are by route");
  const gateways = view.texts("gateways");
  if (gateways.length > 0 && !gateways.includes("mesh")) {
    view.say("lost", "", `it is about traffic of ${gateways.join(", ")} only: the match is left out`);
    return null;
  }
  if (view.done("lost", "cannot be asked for: the match is left out")) isSaid = false;
  return isSaid ? { match, port, path, hostname: authority?.replace(/:\d+$/, "") ?? null } : null;
}

function pathMatch(uri: View, ignoresCase: boolean): { match: Json; kind: "exact" | "prefix" | "regex" } | null {
  const exact = uri.text("exact");
  const prefix = uri.text("prefix");
  const regex = uri.text("regex");
  uri.done("lost");
  const pattern = regex ??
    (exact !== null ? escapePattern(exact) : prefix !== null ? `${escapePattern(prefix)}.*` : null);
  if (pattern === null) return null;
  if (ignoresCase) return { match: { type: "RegularExpression", value: `(?i)${pattern}` }, kind: "regex" };
  if (exact !== null) return { match: { type: "Exact", value: exact }, kind: "exact" };
  if (prefix === null) return { match: { type: "RegularExpression", value: pattern }, kind: "regex" };
  const value = prefix.length > 1 && prefix.endsWith("/") ? prefix.slice(0, -1) : prefix;
  if (prefix !== "/") {
    const what = prefix.endsWith("/")
      ? `matches ${value} itself, too`
      : `does not match ${prefix}x: whole elements of a path count`;
    uri.say("note", "prefix", `PathPrefix ${value} ${what}`);
  }
  return { match: { type: "PathPrefix", value }, kind: "prefix" };
}

function namedMatches(view: View, key: string, refuse: (key: string, reason: string) => void): Json[] {
  const headers = view.view(key);
  if (headers === null) return [];
  return headers.keys().flatMap((name): Json[] => {
    const said = headers.view(name);
    const [exact, prefix, regex] = [
      said?.text("exact") ?? null,
      said?.text("prefix") ?? null,
      said?.text("regex") ?? null,
    ];
    said?.done("lost");
    if (exact !== null && exact !== "") return [{ name, value: exact }];
    // Without a value it is about being there at all.
    const pattern = regex ?? (prefix !== null ? `${escapePattern(prefix)}.*` : exact === null ? ".*" : null);
    if (pattern !== null && !name.startsWith(":")) return [{ type: "RegularExpression", name, value: pattern }];
    refuse(key, `${name} cannot be asked for`);
    return [];
  });
}

/** Text as a pattern that matches it alone. */
export function escapePattern(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}
