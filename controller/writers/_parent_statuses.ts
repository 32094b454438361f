/** `status.parents` of a route: our entries as they should be, those of other controllers as they are. Pure. */
import type { KubeObject } from "../api/client.ts";
import { ROUTE_CONTROLLER } from "../core/cluster_names.ts";
import { type AnyRoute, isOurParent, routeConditions, unreadableConditions } from "../index/route_status.ts";
import type { Resource } from "../kube/resources.ts";
import type { ResourceSet } from "../kube/store.ts";
import { decodeOnce, isSame, type RawCondition, routeErrors, timed } from "./_conditions.ts";

interface RawParentRef {
  readonly group?: string;
  readonly kind?: string;
}

interface RawParent {
  readonly parentRef: RawParentRef;
  readonly controllerName: string;
  readonly conditions?: readonly RawCondition[];
}

const ROUTE_KINDS: ReadonlySet<string> = new Set(["HTTPRoute", "GRPCRoute", "TCPRoute", "TLSRoute"]);

/**
 * What `status.parents` should be; null when it is that already.
 *
 * @param object the route as the API server has it
 * @param now for conditions that change, RFC 3339
 */
export function parentStatuses(object: KubeObject, set: ResourceSet, now: string): readonly RawParent[] | null {
  const spec = (object["spec"] ?? {}) as { readonly parentRefs?: readonly RawParentRef[] }; // by the API's schema
  const status = (object["status"] ?? {}) as { readonly parents?: readonly RawParent[] }; // likewise
  const before = status.parents ?? [];
  const foreign = before.filter(({ controllerName }) => controllerName !== ROUTE_CONTROLLER);
  const own = before.filter(({ controllerName }) => controllerName === ROUTE_CONTROLLER);
  const refs = spec.parentRefs ?? [];
  const wanted: RawParent[] = [];
  const read = decodeOnce(object);
  const { resource, rest } = read;
  const route = resource !== null && isRoute(resource) ? resource : rest?.unreadable === undefined ? rest : null;
  refs.forEach((parentRef, index) => {
    if (!isOurParent({ group: parentRef.group ?? "", kind: parentRef.kind ?? "" })) return;
    const conditions = route !== null
      ? routeConditions(route, route.parents[index] ?? fail(index), set)
      : unreadableConditions(parentRef.kind === "Server", routeErrors(read, object));
    const known = own.find((parent) => isSame(parent.parentRef, parentRef))?.conditions ?? [];
    wanted.push({
      parentRef,
      controllerName: ROUTE_CONTROLLER,
      conditions: timed(conditions, known, object, now),
    });
  });
  return isSame(own, wanted) ? null : [...foreign, ...wanted];
}

function isRoute(resource: Resource): resource is AnyRoute {
  return ROUTE_KINDS.has(resource.kind);
}

function fail(index: number): never {
  throw new Error(`parent ${index} was not decoded`);
}
