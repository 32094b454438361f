/** RateLimitPolicies by the Server they are about. */
import type { RateLimit } from "../core/snapshot.ts";
import { spiffeId } from "../kube/instances.ts";
import type { RateLimitPolicy } from "../kube/rate_limits.ts";
import { keyOf } from "../kube/resources.ts";
import type { ResourceSet } from "../kube/store.ts";
import { displacedBy, oldestByTarget, targetProblem } from "./_policy_target.ts";
import type { Report } from "./_report.ts";
import type { IndexOptions } from "./_workloads.ts";

/** By "namespace/server": the oldest policy of each. */
export function buildRateLimits(
  set: ResourceSet,
  options: IndexOptions,
  report: Report,
): ReadonlyMap<string, RateLimit> {
  const limits = new Map<string, RateLimit>();
  const holders = oldestByTarget(set.list("RateLimitPolicy"));
  for (const policy of set.list("RateLimitPolicy")) {
    const detail = targetProblem(policy, set)?.detail ?? displacedBy(policy, holders);
    if (detail !== null) report.warn(keyOf(policy), detail);
  }
  for (const [server, policy] of holders) limits.set(server, rateLimit(policy, options));
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
