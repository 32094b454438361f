/** How clients treat the endpoints of a Service: its BackendPolicy, else its annotations, else the defaults, field by field. */
import type { Breaker, Resilience, ResourceRef } from "../core/snapshot.ts";
import type { BackendPolicy, BackendSettings } from "../kube/backend_policy.ts";
import { keyOf, type Service } from "../kube/resources.ts";
import type { ResourceSet } from "../kube/store.ts";
import { breakerOf } from "./_annotations.ts";
import { displacedBy, oldestByTarget, targetProblem } from "./_policy_target.ts";
import type { Report } from "./_report.ts";
import { resilienceAnnotations } from "./_resilience_annotations.ts";

/** What holds where ejection is asked for and a number is left out. */
const EJECTION = {
  windowMs: 10_000,
  minRequests: 20,
  maxSlowPercent: 50,
  maxEjectedPercent: 50,
  minPenaltyMs: 1000,
  maxPenaltyMs: 60_000,
};
/** As without a policy: see README. */
const RETRY_BUDGET = { percent: 20, minPerSecond: 10 };
/** Percent of the mean: one hot key takes no endpoint more than twice as many requests as the others have. */
const BALANCE_FACTOR = 200;
/** Where a limit that adapts starts. */
const ADAPTIVE_START = 20;

/** By "Service namespace/name": the oldest policy of each. */
export function buildBackendPolicies(set: ResourceSet, report: Report): ReadonlyMap<string, BackendPolicy> {
  const policies = oldestByTarget(set.list("BackendPolicy"));
  for (const policy of set.list("BackendPolicy")) {
    const detail = targetProblem(policy, set)?.detail ?? displacedBy(policy, policies);
    if (detail !== null) report.warn(keyOf(policy), detail);
  }
  return policies;
}

/** The breaker of a Service and what there is beyond it. */
export function resilienceOf(
  service: Service,
  policy: BackendPolicy | null,
  report: Report,
): { readonly breaker: Breaker | null; readonly resilience: Resilience | null } {
  const annotated = breakerOf(service.meta, report);
  const settings = merged(policy, resilienceAnnotations(service.meta, report));
  const { ejection } = settings;
  const hash = hashOf(settings.hash, service.affinityMs);
  if (hash === null && Object.values(settings).every((value) => value === null)) {
    return { breaker: annotated, resilience: null };
  }
  const minPenaltyMs = ejection?.minPenaltyMs ?? annotated?.minPenaltyMs ?? EJECTION.minPenaltyMs;
  const maxPenaltyMs = ejection?.maxPenaltyMs ?? annotated?.maxPenaltyMs ?? EJECTION.maxPenaltyMs;
  const breaker = ejection === null ? annotated : {
    consecutiveFailures: ejection.consecutiveFailures ?? annotated?.consecutiveFailures ?? 0,
    minPenaltyMs,
    maxPenaltyMs: Math.max(minPenaltyMs, maxPenaltyMs),
  };
  return { breaker, resilience: resilience(refOf(service, policy), settings, hash) };
}

function refOf(service: Service, policy: BackendPolicy | null): ResourceRef {
  const { namespace, name } = policy === null ? service.meta : policy.meta;
  return policy === null
    ? { group: "core", kind: "Service", namespace, name, section: "" }
    : { group: "policy.tulle.dev", kind: "BackendPolicy", namespace, name, section: "" };
}

function merged(policy: BackendPolicy | null, annotated: BackendSettings): BackendSettings {
  return {
    ejection: policy?.ejection ?? annotated.ejection,
    slowStartMs: policy?.slowStartMs ?? annotated.slowStartMs,
    retryBudget: policy?.retryBudget ?? annotated.retryBudget,
    hedging: policy?.hedging ?? annotated.hedging,
    concurrency: policy?.concurrency ?? annotated.concurrency,
    zone: policy?.zone ?? annotated.zone,
    hash: policy?.hash ?? annotated.hash,
  };
}

/** A policy says more than `sessionAffinity: ClientIP`, which as in kube-proxy has no bound. */
function hashOf(settings: BackendSettings["hash"], affinityMs: number | null): Resilience["hash"] {
  if (settings !== null) {
    const { by, name, balanceFactor } = settings;
    return { by, name, balancePercent: balanceFactor ?? BALANCE_FACTOR, affinityMs: null };
  }
  return affinityMs === null ? null : { by: "source_ip", name: "", balancePercent: 0, affinityMs };
}

function resilience(policy: ResourceRef, settings: BackendSettings, hash: Resilience["hash"]): Resilience {
  const { ejection, slowStartMs, retryBudget, hedging, concurrency, zone } = settings;
  return {
    policy,
    ejection: ejection === null ? null : {
      minSuccessPercent: ejection.minSuccessPercent ?? 0,
      windowMs: ejection.windowMs ?? EJECTION.windowMs,
      minRequests: ejection.minRequests ?? EJECTION.minRequests,
      slowAfterMs: ejection.slowAfterMs,
      maxSlowPercent: ejection.maxSlowPercent ?? EJECTION.maxSlowPercent,
      maxEjectedPercent: ejection.maxEjectedPercent ?? EJECTION.maxEjectedPercent,
    },
    slowStartMs,
    retryBudget: retryBudget === null ? null : {
      percent: retryBudget.percent ?? RETRY_BUDGET.percent,
      minPerSecond: retryBudget.minPerSecond ?? RETRY_BUDGET.minPerSecond,
    },
    hedging,
    concurrency: concurrency === null ? null : limitOf(concurrency),
    zone,
    hash,
  };
}

function limitOf({ limit, adaptive }: NonNullable<BackendSettings["concurrency"]>): Resilience["concurrency"] {
  if (adaptive === null) return { limit: limit ?? 1, min: 0, max: 0 }; // the decoder wants one of the two
  const { min, max } = adaptive;
  return { limit: limit ?? Math.min(max, Math.max(min, ADAPTIVE_START)), min, max };
}
