/** SMI: TrafficSplit (split.smi-spec.io) → HTTPRoute with weights; its other kinds have files of their own. */
import { matchOf } from "./istio_paths.ts";
import { readWeight } from "./linkerd_profile.ts";
import type { Migration, Source } from "./migration.ts";
import { type NamedService, portsOf, serviceOf } from "./services.ts";
import { SmiRoutes } from "./smi_routes.ts";
import { translateTargets } from "./smi_targets.ts";
import { type Json, View } from "./view.ts";

/** Writes HTTPRoutes for TrafficSplits, and Servers for TrafficTargets; lists what it cannot say. */
export function translateSmi(migration: Migration): void {
  const routes = new SmiRoutes(migration);
  for (const source of migration.list("split.smi-spec.io", "TrafficSplit")) trafficSplit(migration, source, routes);
  translateTargets(migration, routes);
  routes.tellUnused();
}

function trafficSplit(migration: Migration, source: Source, routes: SmiRoutes): void {
  const spec = View.spec(migration, source);
  const host = spec.text("service") ?? "";
  const service = serviceOf(migration, host, source.namespace);
  const backends = spec.views("backends").flatMap((view) => {
    const named = serviceOf(migration, view.text("service") ?? "", source.namespace);
    const weight = readWeight(view.raw("weight"));
    view.done("lost");
    if (named !== null && weight !== null) return [{ named, weight }];
    view.say("lost", "", "it names no Service, or no weight: it is left out");
    return [];
  });
  const matches = spec.has("matches") ? readMatches(spec, routes) : null;
  spec.done("lost");
  if (service === null) {
    return spec.say("lost", "service", `found ${JSON.stringify(host)}, want a Service: it is left out`);
  }
  if (backends.length === 0) return spec.say("lost", "backends", "no backend is left");
  if (matches?.length === 0) return spec.say("lost", "matches", "no request is left that it is about: it is left out");
  const ports = portsOf(service);
  const others = backends.flatMap(({ named }) => portsOf(named));
  const numbers = [...new Set((ports.length > 0 ? ports : others).map(({ port }) => port))];
  if (numbers.length === 0) {
    return spec.say("lost", "service", `the ports of ${host} are not among the manifests: give its Service, too`);
  }
  for (const port of numbers) {
    const away = backends.find(({ named, weight }) => weight > 0 && portOf(port, numbers, named) === null);
    if (away !== undefined) {
      const reason = `Service ${away.named.name} has no port ${port}: requests to that port are not split`;
      spec.say("lost", "backends", reason);
      continue;
    }
    const refs = backends.map(({ named, weight }): Json => ({
      name: named.name,
      ...(named.namespace === source.namespace ? {} : { namespace: named.namespace }),
      port: portOf(port, numbers, named) ?? port,
      weight,
    }));
    migration.emit(source, {
      apiVersion: "gateway.networking.k8s.io/v1",
      kind: "HTTPRoute",
      metadata: { name: numbers.length > 1 ? `${source.name}-${port}` : source.name, namespace: source.namespace },
      spec: {
        parentRefs: [{ group: "", kind: "Service", name: service.name, port }],
        // Requests that the split is not about go where they would have gone.
        rules: matches === null
          ? [{ backendRefs: refs }]
          : [{ matches, backendRefs: refs }, { backendRefs: [{ name: service.name, port }] }],
      },
    });
  }
}

/** Conditions of a split; empty when none of them is known. */
function readMatches(spec: View, routes: SmiRoutes): Json[] {
  return spec.views("matches").flatMap((view) => {
    const kind = view.text("kind");
    const name = view.text("name") ?? "";
    view.skip("apiGroup");
    view.done("lost");
    const { namespace } = view.source;
    const sets = kind === "HTTPRouteGroup" ? routes.requests(namespace, name, []) : null;
    if (sets === null) view.say("lost", "", `no HTTPRouteGroup ${namespace}/${name} is among the manifests`);
    return (sets ?? []).map(matchOf);
  });
}

/** The same port of a backend; where there is but one on both sides, that. @returns null when it has none that is meant */
function portOf(port: number, asked: readonly number[], named: NamedService): number | null {
  const own = portsOf(named).map((each) => each.port);
  if (own.length === 0 || own.includes(port)) return port;
  return asked.length === 1 && own.length === 1 ? own[0] ?? null : null;
}
