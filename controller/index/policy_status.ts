/** What the author of one of our own objects wants to be told: whether it is in force, and why not. */
import { keyOf, type POLICY_KINDS, type Resource } from "../kube/resources.ts";
import type { ResourceSet } from "../kube/store.ts";
import { faultEndMs } from "./_faults.ts";
import { limitedAt } from "./_rate_limits.ts";
import {
  clientsRoute,
  displacedBy,
  oldestByTarget,
  serversAt,
  serversByNamespace,
  targetProblem,
} from "./_policy_target.ts";

/** A condition without the time and the generation, which its writer knows. */
export interface PolicyCondition {
  readonly type: "Accepted" | "ResolvedRefs";
  readonly status: "True" | "False";
  /** Those of the Gateway API's policies where it has one. */
  readonly reason:
    | "Accepted"
    | "Conflicted"
    | "Expired"
    | "Invalid"
    | "RefNotFound"
    | "ResolvedRefs"
    | "TargetNotFound";
  readonly message: string;
}

export type PolicyResource = Extract<Resource, { readonly kind: (typeof POLICY_KINDS)[number] }>;

const IN_FORCE = "it is in force";
/** Longest message, characters; the API takes more, but nobody reads it. */
const MAX_MESSAGE = 1024;

/** Judges objects of a set: what concerns them together is looked up once. */
export class PolicyJudge {
  readonly #set: ResourceSet;
  readonly #nowMs: number;
  readonly #rateLimits;
  readonly #backends;
  readonly #servers: ReadonlyMap<string, string>;

  /** @param nowMs since 1970: faults end */
  constructor(set: ResourceSet, nowMs: number) {
    this.#set = set;
    this.#nowMs = nowMs;
    this.#rateLimits = oldestByTarget(set.list("RateLimitPolicy"));
    this.#backends = oldestByTarget(set.list("BackendPolicy"));
    this.#servers = displacedServers(set);
  }

  conditions(resource: PolicyResource): PolicyCondition[] {
    switch (resource.kind) {
      case "Server":
        return [accepted("Conflicted", this.#servers.get(keyOf(resource)) ?? null)];
      case "AuthorizationPolicy":
        return this.#authorization(resource);
      case "RateLimitPolicy":
        return [this.#targeted(resource) ?? this.#rateLimit(resource)];
      case "BackendPolicy":
        return [this.#targeted(resource) ?? accepted("Conflicted", displacedBy(resource, this.#backends))];
      case "FaultInjection": {
        const endMs = faultEndMs(resource);
        const ended = endMs > this.#nowMs ? null : `it ended at ${new Date(endMs).toISOString()}`;
        return [this.#targeted(resource) ?? accepted("Expired", ended)];
      }
      case "MeshTLSAuthentication":
      case "NetworkAuthentication":
      case "EgressNetwork":
        return [accepted("Accepted", null)];
      default:
        resource satisfies never;
        return [];
    }
  }

  #targeted(policy: Parameters<typeof targetProblem>[0]): PolicyCondition | null {
    const problem = targetProblem(policy, this.#set);
    return problem === null ? null : accepted(problem.reason, problem.detail);
  }

  #rateLimit(policy: Extract<PolicyResource, { readonly kind: "RateLimitPolicy" }>): PolicyCondition {
    const nowhere = clientsRoute(policy, this.#set, "limited");
    if (nowhere !== null) return accepted("Invalid", nowhere);
    const displaced = displacedBy(policy, this.#rateLimits);
    if (displaced !== null) return accepted("Conflicted", displaced);
    return condition("Accepted", true, "Accepted", limitedAt(policy, this.#set) ?? IN_FORCE);
  }

  /** A denial holds though an authentication is missing, for more than was meant; an admission does not. */
  #authorization(policy: Extract<PolicyResource, { readonly kind: "AuthorizationPolicy" }>): PolicyCondition[] {
    const missing = policy.authentications.flatMap((ref) => {
      if (ref.kind !== "MeshTLSAuthentication" && ref.kind !== "NetworkAuthentication") return [];
      const namespace = ref.namespace ?? policy.meta.namespace;
      return this.#set.get(ref.kind, namespace, ref.name) === null ? [`${ref.kind} ${namespace}/${ref.name}`] : [];
    });
    const isVoid = missing.length > 0 && policy.action === "Allow";
    const nobody = isVoid ? `its ${missing.join(", ")} does not exist: it admits nobody` : null;
    const nowhere = clientsRoute(policy, this.#set, "judged");
    return [
      this.#targeted(policy) ?? (nowhere === null ? accepted("RefNotFound", nobody) : accepted("Invalid", nowhere)),
      missing.length === 0
        ? condition("ResolvedRefs", true, "ResolvedRefs", "all references lead somewhere")
        : condition("ResolvedRefs", false, "RefNotFound", `${missing.join(", ")} does not exist`),
    ];
  }
}

/** When a condition changes by the time alone: the end of the fault that ends next, milliseconds since 1970; null for none. */
export function nextFaultEndMs(set: ResourceSet, nowMs: number): number | null {
  let next: number | null = null;
  for (const fault of set.list("FaultInjection")) {
    const endMs = faultEndMs(fault);
    if (endMs > nowMs && (next === null || endMs < next)) next = endMs;
  }
  return next;
}

/** The conditions of an object that cannot be read. @param detail the first problem */
export function unreadablePolicy(detail: string): PolicyCondition[] {
  return [accepted("Invalid", `what was in force before stays: ${detail}`)];
}

/**
 * Servers that lose a port to another one, at some workload or at all: why, by key. The text names no workload, since their
 * names change with each rollout.
 */
function displacedServers(set: ResourceSet): ReadonlyMap<string, string> {
  const servers = serversByNamespace(set);
  const losses = new Map<string, Set<string>>();
  if ([...servers.values()].every(({ length }) => length < 2)) return new Map();
  for (const workload of [...set.list("Pod"), ...set.list("ExternalWorkload")]) {
    if (workload.kind === "Pod" && (workload.finished || workload.terminating)) continue;
    const own = servers.get(workload.meta.namespace) ?? [];
    if (own.length < 2) continue;
    for (const { server, port, holder } of serversAt(workload, own)) {
      if (holder === null) continue;
      const key = keyOf(server);
      const lost = losses.get(key) ?? new Set();
      losses.set(key, lost.add(`port ${port} to ${keyOf(holder)}`));
    }
  }
  return new Map([...losses].map(([key, lost]) => [key, displacedText([...lost].sort())]));
}

function displacedText(lost: readonly string[]): string {
  return `where both select a workload it loses ${lost.join(", ")}, which is older or comes first by name`;
}

/** Accepted, or refused for a reason when there is a detail. */
function accepted(reason: PolicyCondition["reason"], detail: string | null): PolicyCondition {
  return detail === null
    ? condition("Accepted", true, "Accepted", IN_FORCE)
    : condition("Accepted", false, reason, detail);
}

function condition(
  type: PolicyCondition["type"],
  holds: boolean,
  reason: PolicyCondition["reason"],
  message: string,
): PolicyCondition {
  return { type, status: holds ? "True" : "False", reason, message: message.slice(0, MAX_MESSAGE) };
}
