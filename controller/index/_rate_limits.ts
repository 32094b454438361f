/** RateLimitPolicies by the Server, or the route of one, that they are about. */
import type { RateLimit } from "../core/snapshot.ts";
import { spiffeId } from "../kube/instances.ts";
import type { RateLimitPolicy } from "../kube/rate_limits.ts";
import { keyOf } from "../kube/resources.ts";
import type { ResourceSet } from "../kube/store.ts";
import { clientsRoute, displacedBy, isServer, oldestByTarget, targetProblem } from "./_policy_target.ts";
import type { Report } from "./_report.ts";
import type { IndexOptions } from "./_workloads.ts";

/** By "Kind namespace/name": the oldest policy of each. */
export function buildRateLimits(
  set: ResourceSet,
  options: IndexOptions,
  report: Report,
): ReadonlyMap<string, RateLimit> {
  const limits = new Map<string, RateLimit>();
  const holders = oldestByTarget(set.list("RateLimitPolicy"));
  for (const policy of set.list("RateLimitPolicy")) {
    const detail = targetProblem(policy, set)?.detail ?? clientsRoute(policy, set, "limited") ??
      displacedBy(policy, holders);
    if (detail !== null) report.warn(keyOf(policy), detail);
  }
  for (const [target, policy] of holders) limits.set(target, rateLimit(policy, options));
  return limits;
}

function rateLimit(policy: RateLimitPolicy, { trustDomain }: IndexOptions): RateLimit {
  const { namespace, name } = policy.meta;
  return {
    policy: { group: "policy.tulle.dev", kind: policy.kind, namespace, name, section: "" },
    total: policy.total,
    identity: policy.identity,
    overrides: policy.overrides.map(({ rate, clients }) => ({
      rate,
      identities: clients.map((client) => spiffeId(trustDomain, client.namespace ?? namespace, client.name)),
    })),
    header: policy.header,
  };
}

/** Where a policy of a route holds, when the route has parents where it does not; null for everywhere. */
export function limitedAt({ meta, target }: RateLimitPolicy, set: ResourceSet): string | null {
  if (target.kind !== "HTTPRoute" && target.kind !== "GRPCRoute") return null;
  const parents = set.get(target.kind, meta.namespace, target.name)?.parents ?? [];
  const others = parents.filter((parent) => !isServer(parent)).map(({ kind, name }) => `${kind} ${name}`);
  if (others.length === 0) return null;
  const servers = parents.filter(isServer).map(({ name }) => `Server ${name}`);
  return `it is in force at ${servers.join(", ")}, where requests arrive; not at clients of ${others.join(", ")}`;
}
