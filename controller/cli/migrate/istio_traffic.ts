/** The trafficPolicy of a DestinationRule (networking.istio.io) → BackendPolicy. */
import { formatDuration } from "../../../src/base/duration.ts";
import { goDuration } from "./durations.ts";
import type { Migration, Source } from "./migration.ts";
import { type NamedService, portsOf } from "./services.ts";
import type { Json, View } from "./view.ts";

/** Balancers that go by load, as ours does. */
const ALIKE = new Set(["LEAST_REQUEST", "LEAST_CONN", "UNSPECIFIED"]);
/** Limits of Envoy's connection pools, and why each stays behind. */
const POOL: Readonly<Record<string, string>> = {
  maxConnections: "requests share few connections; say by concurrency.limit how many may be under way to an endpoint",
  http2MaxRequests: "it counts the requests to all endpoints; concurrency.limit of a BackendPolicy is for each of them",
  http1MaxPendingRequests: "what waits for a connection is bounded by the sidecar itself",
  maxRetries: "retries are bounded by a share of the requests: retryBudget of a BackendPolicy",
};

/**
 * Writes what a policy says of a Service, or of the Service of a subset, and lists what it cannot say.
 *
 * @param view null where a subset says nothing of its own
 * @param inherited spec of the Service that a subset belongs to
 * @returns the spec that holds, without its target
 */
export function backendPolicy(
  migration: Migration,
  view: View | null,
  service: NamedService,
  source: Source,
  inherited: Json = {},
): Json {
  const spec: Json = { ...inherited };
  if (view !== null) readPolicy(view, service, spec);
  if (Object.keys(spec).length === 0) return spec;
  if (service.namespace !== source.namespace) {
    view?.say("note", "", `it holds for clients of all namespaces now, not for those of ${source.namespace} alone`);
  }
  migration.emit(source, {
    apiVersion: "policy.tulle.dev/v1alpha1",
    kind: "BackendPolicy",
    metadata: { name: service.name, namespace: service.namespace },
    spec: { targetRef: { kind: "Service", name: service.name }, ...structuredClone(spec) },
  });
  return spec;
}

function readPolicy(view: View, service: NamedService, spec: Json): void {
  const balancer = view.view("loadBalancer");
  if (balancer !== null) readBalancer(balancer, spec);
  const outlier = view.view("outlierDetection");
  if (outlier !== null) readOutlier(outlier, spec);
  readTls(view);
  const pool = view.view("connectionPool");
  for (const group of pool?.keys() ?? []) readPool(pool?.view(group) ?? null);
  if (view.has("portLevelSettings")) {
    view.raw("portLevelSettings");
    const ports = portsOf(service).map(({ port }) => port).join(", ");
    view.say("lost", "portLevelSettings", `settings are of a Service with all its ports (${ports})`);
  }
  view.done("lost");
}

/** A subset's own word takes the place of the whole section. */
function readBalancer(view: View, spec: Json): void {
  delete spec["loadBalancing"];
  delete spec["slowStart"];
  const simple = view.text("simple");
  if (simple !== null && !ALIKE.has(simple)) {
    view.say("note", "simple", `instead of ${simple}: the faster of two endpoints chosen at random`);
  }
  const hash = view.view("consistentHash");
  const key = hash === null ? null : readHashKey(hash);
  // Istio has no bound.
  if (key !== null) spec["loadBalancing"] = { consistentHash: { ...key, balanceFactor: 0 } };
  const warmUp = view.view("warmup");
  const slowStart = warmUp === null ? readMs(view, "warmupDurationSecs") : readMs(warmUp, "duration");
  warmUp?.done("note", "a new endpoint begins with a tenth of its share, which grows evenly");
  if (slowStart !== null && slowStart > 0) spec["slowStart"] = formatDuration(slowStart);
  view.done("lost");
}

function readHashKey(view: View): Json | null {
  const header = view.text("httpHeaderName");
  const parameter = view.text("httpQueryParameterName");
  const isSource = view.flag("useSourceIp");
  const cookie = view.view("httpCookie");
  const name = cookie?.text("name") ?? null;
  if (cookie?.has("ttl") === true) {
    const reason =
      "the cookie is read, not set: for sessions that begin by themselves use sessionPersistence of an HTTPRoute";
    cookie.raw("ttl");
    cookie.say("lost", "ttl", reason);
  }
  cookie?.done("lost", "the cookie is read, not set");
  for (const algorithm of ["ringHash", "maglev"]) {
    if (view.raw(algorithm) !== undefined) view.say("lost", algorithm, "the ring has a size of its own");
  }
  if (view.raw("minimumRingSize") !== undefined) view.say("lost", "minimumRingSize", "the ring has a size of its own");
  view.done("lost");
  if (header !== null) return { header };
  if (name !== null) return { cookie: name };
  if (parameter !== null) return { queryParam: parameter };
  return isSource ? { sourceIP: true } : null;
}

function readOutlier(view: View, spec: Json): void {
  delete spec["ejection"];
  const failures = view.number("consecutive5xxErrors") ?? view.number("consecutiveErrors") ??
    view.number("consecutiveGatewayErrors");
  for (const key of ["consecutiveErrors", "consecutiveGatewayErrors"]) {
    if (!view.has(key)) continue;
    view.skip(key);
    if (view.number(key) !== failures) view.say("lost", key, "failures of all kinds are counted together");
  }
  if (failures === 0) return void view.skip("baseEjectionTime", "interval", "maxEjectionPercent", "minHealthPercent");
  const base = readMs(view, "baseEjectionTime");
  const most = view.number("maxEjectionPercent");
  if (most !== null && most > 0 && most < 50) {
    view.say(
      "note",
      "maxEjectionPercent",
      `rounded down: of fewer than ${Math.ceil(100 / most)} endpoints none is left out`,
    );
  }
  view.done("lost", "an endpoint is left out by its own failures alone, and tried again after a penalty that grows");
  spec["ejection"] = {
    // Istio's default.
    consecutiveFailures: failures ?? 5,
    ...(base === null || base === 0 ? {} : { minPenalty: formatDuration(base), ...longest(base) }),
    ...(most === null ? {} : { maxEjectedPercent: most }),
  };
}

/** Longest penalty where the first is longer than the default of the longest. */
function longest(baseMs: number): Json {
  return baseMs > 60_000 ? { maxPenalty: formatDuration(baseMs) } : {};
}

function readTls(view: View): void {
  const tls = view.view("tls");
  const mode = tls?.text("mode") ?? null;
  if (tls === null) return;
  if (mode === "ISTIO_MUTUAL") {
    tls.done("lost", "between sidecars it is always mutual TLS, with names of its own");
    return;
  }
  const reason = mode === "DISABLE"
    ? "between sidecars it is always mutual TLS; a server without a sidecar is reached as it is"
    : "TLS to servers outside of the mesh is the program's own business";
  tls.say(mode === "DISABLE" ? "note" : "lost", mode === "DISABLE" ? "mode" : "", reason);
  tls.skip("mode", ...mode === "DISABLE" ? [] : tls.keys());
  tls.done("lost", reason);
}

function readPool(view: View | null): void {
  for (const key of view?.keys() ?? []) {
    view?.skip(key);
    view?.say("lost", key, POOL[key] ?? "connections to endpoints are kept by the sidecar itself");
  }
}

function readMs(view: View, key: string): number | null {
  const text = view.text(key);
  const ms = text === null ? null : goDuration(text);
  if (text !== null && ms === null) view.say("lost", key, `found ${JSON.stringify(text)}, want a duration such as 2s`);
  return ms;
}
