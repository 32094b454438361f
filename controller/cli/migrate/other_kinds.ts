/** Kinds of the other meshes that stay behind, and what to do instead. */
import { type Effect, FOREIGN_GROUP, type Migration, type Source } from "./migration.ts";
import { View } from "./view.ts";

const REASONS: Readonly<Record<string, string>> = {
  Gateway: "an ingress takes traffic from outside: use a Gateway of the Gateway API",
  ServiceEntry: "servers outside are reached as they are; say by an EgressNetwork which may be",
  ProxyConfig: "settings of a sidecar are annotations",
  Telemetry: "metrics and access logs are set by annotations and `tulle install`",
  WorkloadEntry: "write an ExternalWorkload",
  WorkloadGroup: "write an ExternalWorkload",
  Link: "clusters are not linked",
  UDPRoute: "UDP does not pass the sidecar",
  TrafficMetrics: "metrics are asked of Prometheus, or by tulle stat",
};
/** What refused requests, or may have: nobody can tell from here. */
const FILTERS = new Set(["EnvoyFilter", "WasmPlugin", "TrafficExtension"]);
const FILTER_REASON =
  "it changes another mesh's proxy, and may refuse requests: see what it did, and write it as a RateLimitPolicy, an " +
  "AuthorizationPolicy or a BackendPolicy";

/** Lists every object of the other meshes that no translator has read. @param translated kinds with a translator, by group */
export function tellOtherKinds(migration: Migration, translated: ReadonlyMap<string, readonly string[]>): void {
  for (const source of migration.sources) {
    if (!FOREIGN_GROUP.test(source.group)) continue;
    if (translated.get(source.group)?.includes(source.kind) === true) continue;
    const { effect, reason } = source.kind === "Sidecar" ? sidecar(migration, source) : other(source);
    migration.say(effect, source, "", reason);
  }
}

function other({ kind }: Source): { effect: Effect; reason: string } {
  if (FILTERS.has(kind)) return { effect: "wider", reason: FILTER_REASON };
  return { effect: "lost", reason: REASONS[kind] ?? "has no counterpart" };
}

/** Scope of what a sidecar is told, and at times what it may call. */
function sidecar(migration: Migration, source: Source): { effect: Effect; reason: string } {
  const spec = View.spec(migration, source);
  if (spec.view("outboundTrafficPolicy")?.text("mode") === "REGISTRY_ONLY") {
    const reason = "only what is registered could be called: annotate the namespace with " +
      "tulle.dev/default-egress-policy: deny, and write an EgressNetwork for each ServiceEntry";
    return { effect: "wider", reason };
  }
  const rest = spec.keys().filter((key) => !["egress", "workloadSelector"].includes(key));
  if (rest.length === 0) return { effect: "note", reason: "a sidecar learns what it uses by itself" };
  return { effect: "lost", reason: `a sidecar learns what it uses by itself; ${rest.join(", ")} has no counterpart` };
}
