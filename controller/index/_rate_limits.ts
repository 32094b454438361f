/** RateLimitPolicies by the Server they are about. */
import type { RateLimit } from "../core/snapshot.ts";
import { spiffeId } from "../kube/instances.ts";
import type { RateLimitPolicy } from "../kube/rate_limits.ts";
import { keyOf } from "../kube/resources.ts";
import type { ResourceSet } from "../kube/store.ts";
import { compareAge } from "./_precedence.ts";
import type { Report } from "./_report.ts";
import type { IndexOptions } from "./_workloads.ts";

/** By "namespace/server": the oldest policy of each. */
export function buildRateLimits(
  set: ResourceSet,
  options: IndexOptions,
  report: Report,
): ReadonlyMap<string, RateLimit> {
  const limits = new Map<string, RateLimit>();
  for (const policy of [...set.list("RateLimitPolicy")].sort((a, b) => compareAge(a.meta, b.meta))) {
    const { namespace } = policy.meta;
    const { name, namespace: named } = policy.target;
    const server = `${namespace}/${name}`;
    if (named !== null && named !== namespace) {
      report.warn(keyOf(policy), `its target Server ${named}/${name} is not in its own namespace: it does not hold`);
      continue;
    }
    if (set.get("Server", namespace, name) === null) {
      report.warn(keyOf(policy), `its target Server ${server} does not exist: it does not hold`);
    }
    const holder = limits.get(server)?.policy;
    if (holder === undefined) limits.set(server, rateLimit(policy, options));
    else {
      const detail = `its target Server ${server} has RateLimitPolicy ${holder.name} already`;
      report.warn(keyOf(policy), `${detail}, which is older or comes first by name: this one does not hold`);
    }
  }
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
