/** Routes by what they are attached to. */
import { keyOf, type ParentRef } from "../kube/resources.ts";
import type { ResourceSet } from "../kube/store.ts";
import { isMeant } from "./_outbound.ts";
import type { Report } from "./_report.ts";
import type { AnyRoute, Route } from "./_routes.ts";

const ROUTE_KINDS = ["HTTPRoute", "GRPCRoute", "TCPRoute", "TLSRoute"] as const;

function isHttpRoute(route: AnyRoute): route is Route {
  return route.kind === "HTTPRoute" || route.kind === "GRPCRoute";
}

/** Sorts routes by what they are attached to; a parent that is not there is a warning. */
export function attachRoutes(set: ResourceSet, report: Report) {
  const toServices = new Map<string, { route: AnyRoute; parent: ParentRef }[]>();
  const toServers = new Map<string, Route[]>();
  const all: readonly AnyRoute[] = ROUTE_KINDS.flatMap((kind): readonly AnyRoute[] => set.list(kind));
  for (const route of all) {
    warnOfDropped(route, report);
    for (const parent of route.parents) {
      const namespace = parent.namespace ?? route.meta.namespace;
      const key = `${namespace}/${parent.name}`;
      if (parent.kind === "Service" && parent.group === "") {
        const service = set.get("Service", namespace, parent.name);
        if (service === null) report.warn(keyOf(route), `its parent Service ${key} does not exist`);
        else if (!service.ports.some((port) => port.protocol === "TCP" && isMeant(parent, port))) {
          const port = parent.port ?? parent.sectionName;
          report.warn(keyOf(route), `its parent Service ${key} has no TCP port ${port ?? "at all"}`);
        }
        append(toServices, key, { route, parent });
      } else if (parent.kind === "Server" && parent.group === "policy.tulle.dev" && isHttpRoute(route)) {
        if (namespace !== route.meta.namespace) {
          report.warn(keyOf(route), `its parent Server ${key} is not in its own namespace: it does not hold there`);
          continue;
        }
        if (set.get("Server", namespace, parent.name) === null) {
          report.warn(keyOf(route), `its parent Server ${key} does not exist`);
        }
        append(toServers, key, route);
      } else {
        report.warn(keyOf(route), `its parent ${parent.kind} ${key} is not one the mesh serves (Service, Server)`);
      }
    }
  }
  return { toServices, toServers };
}

function warnOfDropped(route: AnyRoute, report: Report): void {
  route.rules.forEach(({ dropped }, index) => {
    if (dropped === undefined) return;
    report.warn(keyOf(route), `rule ${index + 1} of ${route.rules.length} is dropped until it can be read: ${dropped}`);
  });
}

function append<T>(map: Map<string, T[]>, key: string, value: T): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}
