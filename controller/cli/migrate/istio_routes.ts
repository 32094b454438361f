/** VirtualService (networking.istio.io) → HTTPRoutes of the mesh. */
import { formatDuration } from "../../../src/base/duration.ts";
import { goDuration } from "./durations.ts";
import { delegated, isHandedTo } from "./istio_delegates.ts";
import { readFaults } from "./istio_faults.ts";
import { readMatch, type RouteMatch } from "./istio_match.ts";
import { readFilters } from "./istio_filters.ts";
import { readBackend } from "./istio_backends.ts";
import { streamRoutes } from "./istio_streams.ts";
import { asMapping, type Migration, type Source } from "./migration.ts";
import { type NamedService, portsOf, serviceOf } from "./services.ts";
import { type Json, View } from "./view.ts";

const NETWORKING = "networking.istio.io";

/** Writes an HTTPRoute for each Service that a VirtualService of the mesh is about; lists what it cannot say. */
export function translateVirtualServices(migration: Migration): void {
  for (const source of migration.list(NETWORKING, "VirtualService")) virtualService(migration, source);
}

function virtualService(migration: Migration, source: Source): void {
  const spec = View.spec(migration, source);
  const gateways = spec.texts("gateways");
  if (gateways.length > 0 && !gateways.includes("mesh")) {
    return spec.say(
      "lost",
      "",
      `it is about traffic of ${
        gateways.join(", ")
      } only: an ingress does that, such as an HTTPRoute with a Gateway as parent`,
    );
  }
  if (gateways.length > 1) {
    spec.say(
      "lost",
      "gateways",
      `for ${gateways.filter((each) => each !== "mesh").join(", ")} an ingress is needed`,
    );
  }
  const hosts = spec.texts("hosts").flatMap((host): NamedService[] => {
    const service = serviceOf(migration, host, source.namespace);
    if (service === null) spec.say("lost", "hosts", `${host} is no Service of the cluster: it is left out`);
    return service === null ? [] : [service];
  });
  if (!spec.has("hosts")) {
    if (isHandedTo(migration, source)) return; // written where it is handed to
    return spec.say("lost", "", "without hosts it is a part of others, and none of the manifests hands on to it");
  }
  const exportTo = spec.texts("exportTo");
  if (exportTo.length > 0) {
    const reason = exportTo.includes("*")
      ? "a route in the Service's namespace holds for all callers"
      : `a route in the Service's namespace holds for all callers, not for those of ${exportTo.join(", ")} alone`;
    spec.say(exportTo.includes("*") ? "note" : "lost", "exportTo", reason);
  }
  const streams = (["tcp", "tls"] as const).map((kind) => ({ kind, entries: spec.views(kind) }));
  const http = spec.views("http").flatMap((view) => delegated(migration, view));
  spec.done("lost");
  for (const service of hosts) {
    if (http.length > 0) serviceRoutes(migration, source, service, http);
    for (const { kind, entries } of streams) streamRoutes(migration, source, service, kind, entries);
  }
}

interface Rule {
  /** "spec.http[0]", of its VirtualService or of a delegate. */
  readonly where: string;
  readonly rule: Json;
  readonly matches: readonly RouteMatch[];
  readonly all: boolean;
  /** Specs of FaultInjections for its requests. */
  readonly faults: readonly Json[];
}

/** One HTTPRoute for each port that rules tell apart, or one for all. */
function serviceRoutes(migration: Migration, source: Source, service: NamedService, http: readonly View[]): void {
  const rules = http.flatMap((view) => readRule(migration, view, service, source));
  tellOrder(source, migration, rules);
  const said = rules.flatMap(({ matches }) => matches);
  const ports = [...new Set(said.flatMap(({ port }) => port ?? []))];
  const targets = ports.length === 0 ? [null] : [...new Set([...portsOf(service).map(({ port }) => port), ...ports])];
  const hostnames = [...new Set(said.flatMap(({ hostname }) => hostname ?? []))];
  for (const port of targets) {
    // A host name is of a whole route: its rules are those that ask for it, and those that do not.
    for (const hostname of [...hostnames, null]) {
      const out = rules.flatMap(({ rule, matches, all, faults }): Part[] => {
        const own = matches.filter((match) =>
          [port, null].includes(match.port) && [hostname, null].includes(match.hostname)
        );
        if (own.length === 0 && !all) return [];
        const said = own.length > 0 ? { matches: own.map(({ match }) => match) } : {};
        return [{ rules: [{ ...said, ...structuredClone(rule) }], faults }];
      });
      const suffix = `${port === null ? "" : `-${port}`}${hostname === null ? "" : `-${hostname}`}`;
      const base = `${source.name}${hostSuffix(source, service)}${suffix}`;
      const parts = partsOf(out);
      for (const [i, { rules, faults }] of parts.entries()) {
        // Of equal matches the route that is first by name wins, as the first rule did.
        const part = parts.length === 1 ? "" : `-${String(i + 1).padStart(2, "0")}`;
        const name = migration.emit(source, {
          apiVersion: "gateway.networking.k8s.io/v1",
          kind: "HTTPRoute",
          metadata: { name: `${base}${part}`, namespace: service.namespace },
          spec: {
            parentRefs: [{ group: "", kind: "Service", name: service.name, ...(port === null ? {} : { port }) }],
            ...(hostname === null ? {} : { hostnames: [hostname] }),
            rules,
          },
        });
        emitFaults(migration, source, service, name, faults);
      }
    }
  }
}

/** Rules that one HTTPRoute holds. */
interface Part {
  readonly rules: readonly Json[];
  readonly faults: readonly Json[];
}

/** A fault is of a whole route: a rule with one gets a route of its own. */
function partsOf(rules: readonly Part[]): Part[] {
  const parts: Part[] = [];
  for (const each of rules) {
    const last = parts.at(-1);
    if (last === undefined || each.faults.length + last.faults.length > 0) parts.push(each);
    else parts[parts.length - 1] = { rules: [...last.rules, ...each.rules], faults: [] };
  }
  return parts;
}

function emitFaults(
  migration: Migration,
  source: Source,
  { namespace }: NamedService,
  route: string,
  faults: readonly Json[],
): void {
  for (const [i, spec] of faults.entries()) {
    // They are drawn for in the order of their names.
    const metadata = { name: faults.length === 1 ? route : `${route}-${i + 1}`, namespace };
    const targetRef = { group: "gateway.networking.k8s.io", kind: "HTTPRoute", name: route };
    migration.emit(source, {
      apiVersion: "policy.tulle.dev/v1alpha1",
      kind: "FaultInjection",
      metadata,
      spec: { targetRef, ...structuredClone(spec) },
    });
  }
}

function hostSuffix(source: Source, service: NamedService): string {
  const hosts = (source.value["spec"] as { hosts?: unknown[] }).hosts ?? []; // read as a list above
  return hosts.length > 1 ? `-${service.name}` : "";
}

function readRule(migration: Migration, view: View, service: NamedService, source: Source): Rule[] {
  view.skip("name", "match");
  const wanted = view.has("match") ? view.views("match") : [];
  const matches = wanted.flatMap((each) => readMatch(each) ?? []);
  if (wanted.length > 0 && matches.length === 0) {
    view.say("lost", "", "no match is left: the rule is left out");
    return [];
  }
  if (view.has("directResponse")) {
    view.say("lost", "", "no answer is made by a sidecar (directResponse): the rule is left out");
    return [];
  }
  const faults = readFaults(view, migration.options.faultsUntil);
  const all = wanted.length === 0;
  const where = view.source === source ? view.path : `${view.path} of ${view.source.namespace}/${view.source.name}`;
  return byPath(view, matches).map((part): Rule => {
    const { kind, withPrefix } = rewriteOf(view, part);
    const filters = readFilters(migration, view, service, kind);
    const rule = readAction(migration, view, service);
    if (filters.length > 0) rule["filters"] = filters;
    return { where, rule, matches: withPrefix, all: all && withPrefix.length === 0, faults };
  });
}

/** Matches whose path is told in the same way: what a rewrite replaces depends on it. */
function byPath(view: View, matches: readonly RouteMatch[]): (readonly RouteMatch[])[] {
  if (!view.has("rewrite")) return [matches];
  const groups = Map.groupBy(matches, ({ path }) => path ?? "prefix");
  return groups.size === 0 ? [[]] : [...groups.values()];
}

/** Without a path a rewrite replaces the prefix "/", which its match must say. */
function rewriteOf(
  view: View,
  matches: readonly RouteMatch[],
): { kind: RouteMatch["path"]; withPrefix: readonly RouteMatch[] } {
  const first = matches[0]?.path ?? null;
  if (!view.has("rewrite") || (first !== null && first !== "prefix")) return { kind: first, withPrefix: matches };
  const none: RouteMatch = { match: {}, port: null, path: null, hostname: null };
  const withPrefix = (matches.length > 0 ? matches : [none]).map((each) =>
    each.path === null ? { ...each, match: { path: { type: "PathPrefix", value: "/" }, ...each.match } } : each
  );
  return { kind: "prefix", withPrefix };
}

/** Backends, timeouts and retries. */
function readAction(migration: Migration, view: View, service: NamedService): Json {
  const rule: Json = {};
  const backendRefs = view.views("route").flatMap((each) => readBackend(migration, each, service, view.source));
  const timeout = durationOf(view, "timeout");
  const retries = view.view("retries");
  if (backendRefs.length > 0) rule["backendRefs"] = backendRefs;
  const timeouts: Json = {};
  if (timeout !== null && timeout > 0) timeouts["request"] = formatDuration(timeout);
  const retry = retries === null ? null : readRetries(retries, timeouts, timeout);
  if (Object.keys(timeouts).length > 0) rule["timeouts"] = timeouts;
  if (retry !== null) rule["retry"] = retry;
  // A redirect's, a rewrite's and the like are read for the filters.
  view.skip(
    "headers",
    "redirect",
    "rewrite",
    "mirror",
    "mirrors",
    "mirrorPercentage",
    "mirrorPercent",
    "mirror_percent",
  );
  view.skip("corsPolicy");
  view.done("lost");
  return rule;
}

function durationOf(view: View, key: string): number | null {
  const text = view.text(key);
  const ms = text === null ? null : goDuration(text);
  if (text !== null && ms === null) view.say("lost", key, `found ${JSON.stringify(text)}, want a duration such as 2s`);
  return ms;
}

/** What Envoy's conditions are in status codes: those that are registered. */
const CODES: ReadonlyMap<string, readonly number[]> = new Map([
  ["5xx", [500, 501, 502, 503, 504, 505, 506, 507, 508, 510, 511]],
  ["gateway-error", [502, 503, 504]],
  ["retriable-4xx", [409]],
]);
/** Failures before an answer, which are tried again where that is safe, asked or not. */
const UNASKED = new Set(["connect-failure", "refused-stream", "reset", "reset-before-request"]);
/** Istio's retryOn where it is not said. */
const DEFAULT_RETRY_ON = "connect-failure,refused-stream,unavailable,cancelled,503";

function readRetries(view: View, timeouts: Json, timeout: number | null): Json | null {
  const attempts = view.number("attempts");
  const perTry = durationOf(view, "perTryTimeout");
  const backoff = durationOf(view, "backoff");
  const retryOn = view.text("retryOn");
  view.done("lost");
  if (perTry !== null && perTry > 0) {
    timeouts["backendRequest"] = formatDuration(timeout !== null && timeout > 0 ? Math.min(perTry, timeout) : perTry);
  }
  if (attempts === null || attempts <= 0) {
    view.say(
      "note",
      "",
      "what no endpoint has seen, and safe requests whose connection breaks, are tried again in any case",
    );
    return null;
  }
  const codes = new Set<number>();
  for (
    const word of (retryOn ?? DEFAULT_RETRY_ON).split(",").map((each) => each.trim()).filter((each) => each !== "")
  ) {
    const known = CODES.get(word) ?? (/^[45]\d\d$/.test(word) ? [Number(word)] : null);
    if (known !== null) { for (const code of known) codes.add(code); }
    else if (!UNASKED.has(word) && retryOn !== null) {
      view.say(
        "lost",
        "retryOn",
        `${word} has no counterpart in a rule; for gRPC annotate the route with retry.tulle.dev/grpc`,
      );
    }
  }
  if (codes.size === 0) return null;
  const list = [...codes].sort((a, b) => a - b);
  return { codes: list, attempts, ...(backoff === null ? {} : { backoff: formatDuration(backoff) }) };
}

/** The first rule won; the Gateway API takes the closest. Told where a later rule now comes before an earlier one. */
function tellOrder(source: Source, migration: Migration, rules: readonly Rule[]): void {
  const ranks = rules.map(({ matches, all }) => all ? [0] : matches.map(rank));
  for (let i = 0; i < rules.length; i++) {
    for (let j = i + 1; j < rules.length; j++) {
      if (Math.max(...ranks[j] ?? [0]) <= Math.min(...ranks[i] ?? [0])) continue;
      const [first, later] = [rules[i], rules[j]];
      if (first === undefined || later === undefined || first.where === later.where || !mayMeet(first, later)) continue;
      const reason =
        `${first.where} came before it; the closest match wins now, which is that of ${later.where} where both match`;
      migration.say(first.all ? "lost" : "note", source, later.where, reason);
    }
  }
}

/** Whether a request may match both, as far as paths tell. */
function mayMeet(a: Rule, b: Rule): boolean {
  if (a.all || b.all) return true;
  return a.matches.some((one) => b.matches.some((other) => pathsMeet(one, other) && pathsMeet(other, one)));
}

function pathsMeet(a: RouteMatch, b: RouteMatch): boolean {
  const [own, other] = [a, b].map(({ match }) => asMapping(match["path"])["value"]);
  if (typeof own !== "string" || typeof other !== "string" || a.path === "regex" || b.path === "regex") return true;
  if (a.path === "exact") return b.path === "exact" ? own === other : liesBelow(own, other);
  return b.path === "exact" || liesBelow(own, other) || liesBelow(other, own);
}

function liesBelow(path: string, prefix: string): boolean {
  return prefix === "/" || path === prefix || path.startsWith(`${prefix}/`);
}

function rank({ match, path }: RouteMatch): number {
  const { value = "" } = (match["path"] ?? {}) as { value?: string };
  const byPath = path === "exact" ? 3e6 : path === "regex" ? 2e6 : path === "prefix" && value !== "/" ? 1e6 : 0;
  const count = (key: string) => (match[key] as unknown[] | undefined)?.length ?? 0;
  return byPath + value.length * 1e3 + (match["method"] === undefined ? 0 : 500) + count("headers") * 20 +
    count("queryParams");
}
