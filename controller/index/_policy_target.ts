/** What a policy of ours is about: an object of its own namespace, named by its targetRef. */
import { keyOf, type Meta, type ObjectRef, type ParentRef, type Resource, type Server } from "../kube/resources.ts";
import type { ResourceSet } from "../kube/store.ts";
import { compareAge } from "./_precedence.ts";
import { selects } from "./_selector.ts";
import { type Instance, portNumber } from "./_workloads.ts";

export interface TargetedPolicy {
  readonly meta: Meta;
  readonly target: ObjectRef;
}

export interface TargetProblem {
  /** Invalid: it is in another namespace, and will never be its own. */
  readonly reason: "Invalid" | "TargetNotFound";
  readonly detail: string;
}

const TARGET_KINDS = ["Server", "Service", "HTTPRoute", "GRPCRoute"] as const;

/** Why a policy is about nothing; null when its target is there. */
export function targetProblem({ meta, target }: TargetedPolicy, set: ResourceSet): TargetProblem | null {
  const { kind, name, namespace: named } = target;
  const own = meta.namespace;
  const isNamespace = kind === "Namespace";
  if (isNamespace ? name !== own : named !== null && named !== own) {
    const found = isNamespace ? name : `${named}/${name}`;
    const detail = `its target ${kind} ${found} is not in its own namespace ${own}: it does not hold`;
    return { reason: "Invalid", detail };
  }
  if (isNamespace) return null;
  const known = TARGET_KINDS.find((each) => each === kind);
  if (known !== undefined && set.get(known, own, name) !== null) return null;
  return { reason: "TargetNotFound", detail: `its target ${kind} ${own}/${name} does not exist: it does not hold` };
}

/**
 * Why a policy of a route holds nowhere: it does so where requests arrive, at a Server. Null where the route has one, and for
 * other targets.
 *
 * @param done what happens to requests there: "limited"
 */
export function clientsRoute({ meta, target }: TargetedPolicy, set: ResourceSet, done: string): string | null {
  if (target.kind !== "HTTPRoute" && target.kind !== "GRPCRoute") return null;
  const route = set.get(target.kind, meta.namespace, target.name);
  if (route === null || route.parents.some(isServer)) return null;
  return `its target ${target.kind} ${meta.namespace}/${target.name} has no Server as a parent: requests are ${done} where ` +
    "they arrive, not at their clients, so it does not hold";
}

/** Whether routes with this parent decide where requests arrive. */
export function isServer({ kind, group }: ParentRef): boolean {
  return kind === "Server" && group === "policy.tulle.dev";
}

/** The policy that holds for each target, by "Kind namespace/name": of several the oldest, or the first by name. */
export function oldestByTarget<P extends TargetedPolicy>(policies: readonly P[]): ReadonlyMap<string, P> {
  const holders = new Map<string, P>();
  for (const policy of [...policies].sort((a, b) => compareAge(a.meta, b.meta))) {
    const { namespace: named, name } = policy.target;
    const { namespace } = policy.meta;
    const target = `${policy.target.kind} ${namespace}/${name}`;
    if ((named === null || named === namespace) && !holders.has(target)) holders.set(target, policy);
  }
  return holders;
}

/** Why a policy does not hold where another has its target; null when it is the one that holds. */
export function displacedBy<P extends TargetedPolicy & Resource>(
  policy: P,
  holders: ReadonlyMap<string, P>,
): string | null {
  const target = `${policy.target.kind} ${policy.meta.namespace}/${policy.target.name}`;
  const holder = holders.get(target);
  if (holder === undefined || keyOf(holder) === keyOf(policy)) return null;
  const has = `its target ${target} has ${holder.kind} ${holder.meta.name} already`;
  return `${has}, which is older or comes first by name: this one does not hold`;
}

/** A Server at a workload: the port that it means there (null: no port has that name), and who has that port already. */
export interface ServerPlace {
  readonly server: Server;
  readonly port: number | null;
  readonly holder: Server | null;
}

/** The Servers that select a workload. @param servers of its namespace, older first */
export function serversAt(workload: Instance["workload"], servers: readonly Server[]): ServerPlace[] {
  const places: ServerPlace[] = [];
  for (const server of servers) {
    // In a folder a podSelector means its workloads; an externalWorkloadSelector never means pods.
    const selector = server.externalWorkloadSelector === null
      ? server.podSelector
      : workload.kind === "Pod"
      ? null
      : server.externalWorkloadSelector;
    if (selector === null || !selects(selector, workload.meta.labels)) continue;
    const port = portNumber(workload, server.port);
    const before = port === null ? undefined : places.find((place) => place.port === port);
    places.push({ server, port, holder: before?.server ?? null });
  }
  return places;
}

/** Servers by namespace, older first. */
export function serversByNamespace(set: ResourceSet): ReadonlyMap<string, readonly Server[]> {
  const servers = [...set.list("Server")].sort((a, b) => compareAge(a.meta, b.meta));
  return Map.groupBy(servers, ({ meta }) => meta.namespace);
}
