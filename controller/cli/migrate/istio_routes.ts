/** VirtualService (networking.istio.io) → HTTPRoutes of the mesh. */
import { formatDuration } from "../../../src/base/duration.ts";
import { goDuration } from "./durations.ts";
import { readMatch, type RouteMatch } from "./istio_match.ts";
import { readFilters } from "./istio_filters.ts";
import { readBackend } from "./istio_backends.ts";
import { streamRoutes } from "./istio_streams.ts";
import type { Migration, Source } from "./migration.ts";
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
      "gateways",
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
  if (spec.has("exportTo")) {
    spec.raw("exportTo");
    spec.say(
      "note",
      "exportTo",
      "a route in the Service's namespace holds for all callers, one elsewhere for those of its namespace",
    );
  }
  const streams = (["tcp", "tls"] as const).map((kind) => ({ kind, entries: spec.views(kind) }));
  const http = spec.views("http");
  spec.done("lost");
  for (const service of hosts) {
    if (http.length > 0) serviceRoutes(migration, source, service, http);
    for (const { kind, entries } of streams) streamRoutes(migration, source, service, kind, entries);
  }
}

interface Rule {
  readonly rule: Json;
  readonly matches: readonly RouteMatch[];
  readonly all: boolean;
}

/** One HTTPRoute for each port that rules tell apart, or one for all. */
function serviceRoutes(migration: Migration, source: Source, service: NamedService, http: readonly View[]): void {
  const rules = http.flatMap((view) => readRule(migration, view, service, source));
  tellOrder(source, migration, rules);
  const ports = new Set(rules.flatMap(({ matches }) => matches.map(({ port }) => port)));
  ports.delete(null);
  const targets = ports.size === 0
    ? [null]
    : [...new Set([...portsOf(service).map(({ port }) => port), ...ports])] as number[];
  for (const port of targets) {
    const out = rules.flatMap(({ rule, matches, all }): Json[] => {
      const own = matches.filter((match) => match.port === null || match.port === port);
      if (own.length === 0 && !all) return [];
      return [{ ...(own.length > 0 ? { matches: own.map(({ match }) => match) } : {}), ...rule }];
    });
    if (out.length === 0) continue;
    const hostnames = [...new Set(rules.flatMap(({ matches }) => matches.flatMap(({ hostname }) => hostname ?? [])))];
    migration.emit(source, {
      apiVersion: "gateway.networking.k8s.io/v1",
      kind: "HTTPRoute",
      metadata: {
        name: `${source.name}${hostSuffix(source, service)}${port === null ? "" : `-${port}`}`,
        namespace: service.namespace,
      },
      spec: {
        parentRefs: [{ group: "", kind: "Service", name: service.name, ...(port === null ? {} : { port }) }],
        ...(hostnames.length > 0 ? { hostnames } : {}),
        rules: out,
      },
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
    view.say("lost", "match", "no match is left: the rule is left out");
    return [];
  }
  const rule: Json = {};
  const filters = readFilters(migration, view, service, matches[0]?.path ?? null);
  const backendRefs = view.views("route").flatMap((each) => readBackend(migration, each, service, source));
  const timeout = durationOf(view, "timeout");
  const retries = view.view("retries");
  if (view.has("fault")) {
    view.raw("fault");
    view.say("lost", "fault", "faults are for tests: they are not carried over");
  }
  if (view.has("delegate")) {
    view.raw("delegate");
    view.say("lost", "delegate", "routes are not handed on: write the rules of the delegate here");
  }
  if (view.has("directResponse")) {
    view.raw("directResponse");
    view.say("lost", "directResponse", "no answer is made by a sidecar: the rule is left out");
    return [];
  }
  if (filters.length > 0) rule["filters"] = filters;
  if (backendRefs.length > 0) rule["backendRefs"] = backendRefs;
  const timeouts: Json = {};
  if (timeout !== null && timeout > 0) timeouts["request"] = formatDuration(timeout);
  const retry = retries === null ? null : readRetries(retries, timeouts, timeout);
  if (Object.keys(timeouts).length > 0) rule["timeouts"] = timeouts;
  if (retry !== null) rule["retry"] = retry;
  view.done("lost");
  return [{ rule, matches, all: wanted.length === 0 }];
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
  if (attempts === null || attempts <= 0) return null;
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
      const reason = `rule ${i} came before rule ${j}; the closest match wins now, which is rule ${j} where both match`;
      migration.say(rules[i]?.all === true ? "lost" : "note", source, `spec.http[${j}]`, reason);
    }
  }
}

function rank({ match, path }: RouteMatch): number {
  const { value = "" } = (match["path"] ?? {}) as { value?: string };
  const byPath = path === "exact" ? 3e6 : path === "regex" ? 2e6 : path === "prefix" && value !== "/" ? 1e6 : 0;
  const count = (key: string) => (match[key] as unknown[] | undefined)?.length ?? 0;
  return byPath + value.length * 1e3 + (match["method"] === undefined ? 0 : 500) + count("headers") * 20 +
    count("queryParams");
}
