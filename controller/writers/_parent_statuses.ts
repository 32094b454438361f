/** `status.parents` of a route: our entries as they should be, those of other controllers as they are. Pure. */
import type { KubeObject } from "../api/client.ts";
import { ROUTE_CONTROLLER } from "../core/cluster_names.ts";
import {
  type AnyRoute,
  isOurParent,
  type RouteCondition,
  routeConditions,
  unreadableConditions,
} from "../index/route_status.ts";
import { type Decoded, decodeResource } from "../kube/decode.ts";
import { formatPath } from "../kube/problem.ts";
import type { Resource } from "../kube/resources.ts";
import type { ResourceSet } from "../kube/store.ts";

interface RawParentRef {
  readonly group?: string;
  readonly kind?: string;
}

interface RawCondition extends RouteCondition {
  readonly lastTransitionTime?: string;
  readonly observedGeneration?: number;
}

interface RawParent {
  readonly parentRef: RawParentRef;
  readonly controllerName: string;
  readonly conditions?: readonly RawCondition[];
}

const ROUTE_KINDS: ReadonlySet<string> = new Set(["HTTPRoute", "GRPCRoute", "TCPRoute", "TLSRoute"]);

/** Objects are replaced, never changed: a thousand routes are looked at whenever a Service changes, and read once. */
const decoded = new WeakMap<KubeObject, Decoded>();

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
  const { resource, findings } = decodeOnce(object);
  const generation = Number(object.metadata["generation"] ?? 0);
  refs.forEach((parentRef, index) => {
    if (!isOurParent({ group: parentRef.group ?? "", kind: parentRef.kind ?? "" })) return;
    const problem = findings.find(({ severity }) => severity === "error");
    const conditions = resource !== null && isRoute(resource)
      ? routeConditions(resource, resource.parents[index] ?? fail(index), set)
      : unreadableConditions(problem === undefined ? "" : `${formatPath(problem.path)}: ${problem.detail}`);
    const known = own.find((parent) => isSame(parent.parentRef, parentRef))?.conditions ?? [];
    const timed = conditions.map((condition) => withTime(condition, known, generation, now));
    wanted.push({ parentRef, controllerName: ROUTE_CONTROLLER, conditions: timed });
  });
  return isSame(own, wanted) ? null : [...foreign, ...wanted];
}

function decodeOnce(object: KubeObject): Decoded {
  let found = decoded.get(object);
  if (found === undefined) {
    found = decodeResource(object);
    decoded.set(object, found);
  }
  return found;
}

function isRoute(resource: Resource): resource is AnyRoute {
  return ROUTE_KINDS.has(resource.kind);
}

function withTime(
  condition: RouteCondition,
  known: readonly RawCondition[],
  observedGeneration: number,
  now: string,
): RawCondition {
  const before = known.find(({ type, status }) => type === condition.type && status === condition.status);
  return { ...condition, observedGeneration, lastTransitionTime: before?.lastTransitionTime ?? now };
}

function fail(index: number): never {
  throw new Error(`parent ${index} was not decoded`);
}

/** Whether two plain values are equal, whatever the order of their keys. */
function isSame(a: unknown, b: unknown): boolean {
  return sorted(a) === sorted(b);
}

function sorted(value: unknown): string {
  return JSON.stringify(
    value,
    (_key, item: unknown) =>
      typeof item === "object" && item !== null && !Array.isArray(item)
        ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)))
        : item,
  );
}
