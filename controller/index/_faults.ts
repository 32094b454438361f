/** FaultInjections by what they spoil. */
import type { Fault, OutboundRoute } from "../core/snapshot.ts";
import { spiffeId } from "../kube/instances.ts";
import type { FaultInjection } from "../kube/fault_injection.ts";
import { keyOf } from "../kube/resources.ts";
import { byName, type ResourceSet } from "../kube/store.ts";
import { targetProblem } from "./_policy_target.ts";
import type { Report } from "./_report.ts";

/** By "Kind namespace/name" of the target. */
export type FaultIndex = ReadonlyMap<string, readonly Fault[]>;

export function buildFaults(set: ResourceSet, trustDomain: string, report: Report): FaultIndex {
  const index = new Map<string, Fault[]>();
  for (const fault of [...set.list("FaultInjection")].sort(byName)) {
    const problem = targetProblem(fault, set);
    if (problem !== null) report.warn(keyOf(fault), problem.detail);
    if (problem?.reason === "Invalid") continue;
    const { kind, name } = fault.target;
    const { namespace } = fault.meta;
    const key = `${kind} ${namespace}/${name}`;
    const list = index.get(key);
    if (list === undefined) index.set(key, [readFault(fault, trustDomain)]);
    else list.push(readFault(fault, trustDomain));
  }
  return index;
}

/** Adds what spoils requests of a route, or of all of a Service, to the route. */
export function spoiled(route: OutboundRoute, service: string, index: FaultIndex): OutboundRoute {
  if (index.size === 0) return route;
  const { kind, namespace, name } = route.route;
  const own = kind === "Service" ? [] : index.get(`${kind} ${namespace}/${name}`) ?? [];
  const faults = [...own, ...index.get(`Service ${service}`) ?? []];
  return faults.length === 0 ? route : { ...route, faults };
}

/** When a fault is gone by itself, milliseconds since 1970. */
export function faultEndMs({ meta, untilMs, forMs }: FaultInjection): number {
  return untilMs ?? (meta.createdMs ?? 0) + (forMs ?? 0); // the decoder wants the time with `for`
}

function readFault(fault: FaultInjection, trustDomain: string): Fault {
  const { namespace, name } = fault.meta;
  return {
    policy: { group: "policy.tulle.dev", kind: fault.kind, namespace, name, section: "" },
    share: fault.percent * 100,
    identities: fault.clients.map((client) => spiffeId(trustDomain, client.namespace ?? namespace, client.name)),
    untilMs: faultEndMs(fault),
    delayMs: fault.delayMs,
    httpStatus: fault.abort?.httpStatus ?? 0,
    grpcStatus: fault.abort?.grpcStatus ?? 0,
    reset: fault.reset,
    requestBytesPerSecond: fault.bandwidth?.requestBytesPerSecond ?? 0,
    responseBytesPerSecond: fault.bandwidth?.responseBytesPerSecond ?? 0,
  };
}
