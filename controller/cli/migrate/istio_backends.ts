/** Destinations of a VirtualService (networking.istio.io) → backendRefs. */
import { subsetService } from "./istio_subsets.ts";
import type { Migration, Source } from "./migration.ts";
import { type NamedService, portsOf, serviceOf } from "./services.ts";
import type { Json, View } from "./view.ts";

/** A share of a route as a backendRef; none, told, where it leads nowhere. @param service that the route is about */
export function readBackend(migration: Migration, view: View, service: NamedService, source: Source): Json[] {
  const destination = view.view("destination");
  const host = destination?.text("host") ?? "";
  const subset = destination?.text("subset") ?? null;
  const portView = destination?.view("port") ?? null;
  const said = portView?.number("number") ?? null;
  const weight = view.number("weight");
  if (view.has("headers")) {
    view.raw("headers");
    view.say("lost", "headers", "headers are edited for a rule, not for a share of it");
  }
  portView?.done("lost");
  destination?.done("lost");
  view.done("lost");
  const found = serviceOf(migration, host, source.namespace);
  if (found === null) {
    view.say("lost", "", `${host} is no Service of the cluster: its share is left out`);
    return [];
  }
  const target = subset === null ? found : subsetService(migration, found, subset, source);
  if (target === null) {
    view.say(
      "lost",
      "",
      `no DestinationRule and Service among the manifests say what ${subset} of ${host} is, its share is left out: give them, too`,
    );
    return [];
  }
  const ports = portsOf(target).map(({ port }) => port);
  const port = said ?? portWithout(ports, portsOf(service).map((each) => each.port));
  if (port === null) {
    view.say(
      "lost",
      "",
      `the ports of ${host} are not among the manifests, its share is left out: give its Service, too`,
    );
    return [];
  }
  if (ports.length > 1 && said === null) destination?.say("note", "port", `several ports: ${port} is taken`);
  const where = target.namespace === service.namespace ? {} : { namespace: target.namespace };
  return [{ name: target.name, ...where, port, ...(weight === null ? {} : { weight }) }];
}

/** The port of a destination that names none: its only one, else the one that was asked for. */
function portWithout(own: readonly number[], asked: readonly number[]): number | null {
  if (own.length === 1) return own[0] ?? null;
  return asked.find((port) => own.length === 0 || own.includes(port)) ?? own[0] ?? null;
}
