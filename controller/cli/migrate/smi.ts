/** SMI TrafficSplit (split.smi-spec.io) → HTTPRoute with weights. */
import { readWeight } from "./linkerd_profile.ts";
import type { Migration, Source } from "./migration.ts";
import { portsOf, serviceOf } from "./services.ts";
import { type Json, View } from "./view.ts";

/** Writes an HTTPRoute for each port of a TrafficSplit; lists what it cannot say. */
export function translateSmi(migration: Migration): void {
  for (const source of migration.list("split.smi-spec.io", "TrafficSplit")) trafficSplit(migration, source);
  for (const kind of ["TrafficTarget"]) {
    for (const source of migration.list("access.smi-spec.io", kind)) {
      const reason = "it says who may call: write a Server and an AuthorizationPolicy for its destination";
      migration.say("wider", source, "", reason);
    }
  }
}

function trafficSplit(migration: Migration, source: Source): void {
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
  if (spec.has("matches")) {
    spec.raw("matches");
    spec.say("lost", "matches", "the split is of all requests: write the conditions into the HTTPRoute");
  }
  spec.done("lost");
  if (service === null) {
    return spec.say("lost", "service", `found ${JSON.stringify(host)}, want a Service: it is left out`);
  }
  if (backends.length === 0) return spec.say("lost", "backends", "no backend is left");
  const ports = portsOf(service);
  const others = backends.flatMap(({ named }) => portsOf(named));
  const numbers = [...new Set((ports.length > 0 ? ports : others).map(({ port }) => port))];
  if (numbers.length === 0) {
    return spec.say("lost", "service", `the ports of ${host} are not among the manifests: give its Service, too`);
  }
  for (const port of numbers) {
    const refs = backends.map(({ named, weight }): Json => ({
      name: named.name,
      ...(named.namespace === source.namespace ? {} : { namespace: named.namespace }),
      port: portOf(port, portsOf(named).map((each) => each.port)),
      weight,
    }));
    migration.emit(source, {
      apiVersion: "gateway.networking.k8s.io/v1",
      kind: "HTTPRoute",
      metadata: { name: numbers.length > 1 ? `${source.name}-${port}` : source.name, namespace: source.namespace },
      spec: { parentRefs: [{ group: "", kind: "Service", name: service.name, port }], rules: [{ backendRefs: refs }] },
    });
  }
}

/** The same port of a backend; its only one when it has another. */
function portOf(port: number, own: readonly number[]): number {
  return own.length === 0 || own.includes(port) ? port : own[0] ?? port;
}
