/** Annotations of a Service that say what a BackendPolicy says. */
import type { BackendSettings } from "../kube/backend_policy.ts";
import { MAX_REQUESTS } from "../kube/backend_policy.ts";
import type { Meta } from "../kube/resources.ts";
import { durationOf } from "./_annotations.ts";
import type { Report } from "./_report.ts";

const ACCRUAL = "balancer.tulle.dev/failure-accrual";
const BUDGET = "retry.tulle.dev/budget";
const HEDGE = "retry.tulle.dev/hedge";
const HASH = "balancer.tulle.dev/consistent-hash";
const CONCURRENCY = "balancer.tulle.dev/concurrency-limit";
/** As a BackendPolicy's: its tenth must not be less than a turn of a busy proxy. */
const LEAST_WINDOW_MS = 100;

/** Annotations that only add to others: alone they do nothing, which nobody who writes them means. */
const ADDITIONS: readonly { readonly keys: readonly string[]; readonly to: readonly string[] }[] = [
  { keys: [`${ACCRUAL}-success-rate-percent`], to: [`${ACCRUAL}: unified`] },
  { keys: [`${ACCRUAL}-window`, `${ACCRUAL}-min-requests`], to: [`${ACCRUAL}: unified`, `${ACCRUAL}-slow-after`] },
  { keys: [`${ACCRUAL}-max-slow-percent`], to: [`${ACCRUAL}-slow-after`] },
  {
    keys: ["max-failures", "min-penalty", "max-penalty"].map((name) => `${ACCRUAL}-consecutive-${name}`),
    to: [ACCRUAL],
  },
  { keys: [`${HEDGE}-methods`], to: [HEDGE] },
];

function warnOfAdditions(meta: Meta, report: Report): void {
  const { annotations } = meta;
  const isThere = (text: string) => {
    const [key = "", value] = text.split(": ");
    return value === undefined ? annotations[key] !== undefined : annotations[key] === value;
  };
  for (const { keys, to } of ADDITIONS) {
    if (to.some(isThere)) continue;
    for (const key of keys) {
      const value = annotations[key];
      if (value !== undefined) report.annotation(meta, key, value, `${to.join(" or ")} beside it`);
    }
  }
}

/** Null where nothing is said. */
export function resilienceAnnotations(meta: Meta, report: Report): BackendSettings {
  warnOfAdditions(meta, report);
  const spillOver = countOf(meta, "balancer.tulle.dev/zone-spill-over", 1, MAX_REQUESTS, report);
  return {
    ejection: ejectionOf(meta, report),
    slowStartMs: durationOf(meta, "balancer.tulle.dev/slow-start", report),
    retryBudget: budgetOf(meta, report),
    hedging: hedgingOf(meta, report),
    concurrency: concurrencyOf(meta, report),
    zone: spillOver === null ? null : { spillOver },
    hash: hashOf(meta, report),
  };
}

function ejectionOf(meta: Meta, report: Report): BackendSettings["ejection"] {
  const maxEjectedPercent = countOf(meta, `${ACCRUAL}-max-ejected-percent`, 0, 100, report);
  const isUnified = meta.annotations[ACCRUAL] === "unified";
  const slowAfterMs = durationOf(meta, `${ACCRUAL}-slow-after`, report);
  if (!isUnified && slowAfterMs === null && maxEjectedPercent === null) return null;
  const rate = (key: string, min: number, max: number) => countOf(meta, `${ACCRUAL}-${key}`, min, max, report);
  return {
    consecutiveFailures: null,
    minSuccessPercent: isUnified ? rate("success-rate-percent", 0, 100) ?? 80 : null,
    windowMs: durationOf(meta, `${ACCRUAL}-window`, report, LEAST_WINDOW_MS),
    minRequests: rate("min-requests", 1, MAX_REQUESTS),
    slowAfterMs,
    maxSlowPercent: rate("max-slow-percent", 0, 100),
    minPenaltyMs: null,
    maxPenaltyMs: null,
    maxEjectedPercent,
  };
}

/** "20%", "20%,10/s". */
function budgetOf(meta: Meta, report: Report): BackendSettings["retryBudget"] {
  const value = meta.annotations[BUDGET];
  if (value === undefined) return null;
  const found = /^(\d{1,3})%(?:,(\d{1,6})\/s)?$/.exec(value);
  const percent = Number(found?.[1] ?? 101);
  if (percent <= 100) return { percent, minPerSecond: found?.[2] === undefined ? null : Number(found[2]) };
  report.annotation(meta, BUDGET, value, "a share, and retries a second: 20% or 20%,10/s");
  return null;
}

function hedgingOf(meta: Meta, report: Report): BackendSettings["hedging"] {
  const delayMs = durationOf(meta, HEDGE, report);
  if (delayMs === null) return null;
  const methods: string[] = [];
  for (const part of (meta.annotations[`${HEDGE}-methods`] ?? "").split(",").map((text) => text.trim())) {
    if (/^[A-Z]{1,32}$/.test(part)) methods.push(part);
    else if (part !== "") report.annotation(meta, `${HEDGE}-methods`, part, "methods such as PUT,POST");
  }
  return { delayMs, methods };
}

function concurrencyOf(meta: Meta, report: Report): BackendSettings["concurrency"] {
  const value = meta.annotations[CONCURRENCY];
  if (value === undefined) return null;
  if (value === "adaptive") return { limit: null, adaptive: { min: 1, max: 1000 } };
  const limit = countOf(meta, CONCURRENCY, 1, MAX_REQUESTS, report, "adaptive, or ");
  return limit === null ? null : { limit, adaptive: null };
}

/** "header=x-user", "cookie=sid", "query=q", "source-ip", "identity". */
function hashOf(meta: Meta, report: Report): BackendSettings["hash"] {
  const value = meta.annotations[HASH];
  if (value === undefined) return null;
  const named = /^(header|cookie|query)=([A-Za-z0-9!#$%&'*+\-.^_`|~]{1,256})$/.exec(value);
  if (value === "source-ip") return { by: "source_ip", name: "", balanceFactor: null };
  if (value === "identity") return { by: "identity", name: "", balanceFactor: null };
  if (named !== null) {
    const [, by = "", name = ""] = named;
    if (by === "header") return { by, name: name.toLowerCase(), balanceFactor: null };
    return { by: by === "cookie" ? by : "query", name, balanceFactor: null };
  }
  report.annotation(meta, HASH, value, "header=NAME, cookie=NAME, query=NAME, source-ip or identity");
  return null;
}

function countOf(meta: Meta, key: string, min: number, max: number, report: Report, or = ""): number | null {
  const value = meta.annotations[key];
  if (value === undefined) return null;
  const count = /^\d{1,7}$/.test(value) ? Number(value) : -1;
  if (count >= min && count <= max) return count;
  report.annotation(meta, key, value, `${or}a number ${min}–${max}`);
  return null;
}
