/** Annotations under tulle.dev: text to values. A value that cannot be read counts as absent and is reported. */
import { DURATION_FORM, parseDuration } from "../../src/base/duration.ts";
import type { Breaker, DefaultPolicy, Retry } from "../core/snapshot.ts";
import { DEFAULT_POLICIES, type Meta } from "../kube/resources.ts";
import type { Report } from "./_report.ts";

/** `tulle.dev/inject`; null when it says nothing. */
export function injectOf(meta: Meta, report: Report): boolean | null {
  const value = meta.annotations["tulle.dev/inject"];
  if (value === undefined) return null;
  if (value === "enabled" || value === "disabled") return value === "enabled";
  report.annotation(meta, "tulle.dev/inject", value, "enabled or disabled");
  return null;
}

/** `tulle.dev/default-inbound-policy`; null when it says nothing. */
export function defaultPolicyOf(meta: Meta, report: Report): DefaultPolicy | null {
  const value = meta.annotations["tulle.dev/default-inbound-policy"];
  if (value === undefined) return null;
  const found = DEFAULT_POLICIES.find((name) => name === value);
  if (found !== undefined) return found;
  // Who wrote this meant to restrict something: the strictest reading is the safe one.
  report.annotation(
    meta,
    "tulle.dev/default-inbound-policy",
    value,
    `${DEFAULT_POLICIES.join(", ")}; deny holds until then`,
  );
  return "deny";
}

/** Ports by number, range or name. */
export interface PortSet {
  has(port: number, name: string): boolean;
}

/** `tulle.dev/opaque-ports`: "3306,6379,9000-9100,redis"; null when it says nothing. */
export function opaquePortsOf(meta: Meta, report: Report): PortSet | null {
  const value = meta.annotations["tulle.dev/opaque-ports"];
  if (value === undefined) return null;
  const ranges: { from: number; to: number }[] = [];
  const names = new Set<string>();
  for (const part of value.split(",").map((text) => text.trim()).filter((text) => text !== "")) {
    const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part);
    if (match !== null) {
      const from = Number(match[1]);
      const to = Number(match[2] ?? match[1]);
      if (from >= 1 && to <= 65535 && from <= to) ranges.push({ from, to });
      else report.annotation(meta, "tulle.dev/opaque-ports", part, "ports 1–65535 or ranges such as 9000-9100");
    } else if (/^[a-z0-9-]{1,63}$/.test(part)) names.add(part);
    else report.annotation(meta, "tulle.dev/opaque-ports", part, "ports, ranges and names of ports, between commas");
  }
  return { has: (port, name) => names.has(name) || ranges.some(({ from, to }) => port >= from && port <= to) };
}

/** A duration annotation in milliseconds; null when it says nothing, or less than may be. */
export function durationOf(meta: Meta, key: string, report: Report, leastMs = 0): number | null {
  const value = meta.annotations[key];
  if (value === undefined) return null;
  const ms = parseDuration(value);
  if (ms !== null && ms >= leastMs) return ms;
  report.annotation(meta, key, value, leastMs > 0 ? `${DURATION_FORM}, at least ${leastMs}ms` : DURATION_FORM);
  return null;
}

/** Timeouts and retries that annotations of a route or a Service ask for. */
export interface TrafficAnnotations {
  readonly requestTimeoutMs: number | null;
  readonly backendTimeoutMs: number | null;
  readonly retry: Retry | null;
}

export function trafficOf(meta: Meta, report: Report): TrafficAnnotations {
  // A try that may be repeated ends when a response or a try may take no longer, whichever is sooner.
  const response = durationOf(meta, "timeout.tulle.dev/response", report);
  const perTry = durationOf(meta, "retry.tulle.dev/timeout", report);
  const backendTimeoutMs = response === null ? perTry : perTry === null ? response : Math.min(response, perTry);
  return {
    requestTimeoutMs: durationOf(meta, "timeout.tulle.dev/request", report),
    backendTimeoutMs,
    retry: retryOf(meta, report),
  };
}

/** Most tries after the first: more is a retry storm. */
const MAX_RETRIES = 10;

function retryOf(meta: Meta, report: Report): Retry | null {
  const statusCodes = statusCodesOf(meta, report);
  const grpcCodes = grpcCodesOf(meta, report);
  if (statusCodes.length + grpcCodes.length === 0) {
    const alone = meta.annotations["retry.tulle.dev/limit"];
    if (alone !== undefined) {
      report.annotation(meta, "retry.tulle.dev/limit", alone, "retry.tulle.dev/http or retry.tulle.dev/grpc beside it");
    }
    return null;
  }
  const limit = numberOf(meta, "retry.tulle.dev/limit", 1, 0, MAX_RETRIES, report);
  return { limit, statusCodes, grpcCodes, connectionError: true, backoffMs: null };
}

/** gRPC statuses that may be worth another try, as annotations name them. */
const GRPC_CODES: Readonly<Record<string, number>> = {
  cancelled: 1,
  "deadline-exceeded": 4,
  "resource-exhausted": 8,
  internal: 13,
  unavailable: 14,
};

function grpcCodesOf(meta: Meta, report: Report): number[] {
  const key = "retry.tulle.dev/grpc";
  const codes = new Set<number>();
  for (const part of (meta.annotations[key] ?? "").split(",").map((text) => text.trim())) {
    const code = GRPC_CODES[part];
    if (code !== undefined) codes.add(code);
    else if (meta.annotations[key] !== undefined) {
      report.annotation(meta, key, part, Object.keys(GRPC_CODES).join(", "));
    }
  }
  return [...codes].sort((a, b) => a - b);
}

function statusCodesOf(meta: Meta, report: Report): number[] {
  const http = meta.annotations["retry.tulle.dev/http"];
  if (http === undefined) return [];
  const codes = new Set<number>();
  for (const part of http.split(",").map((text) => text.trim())) {
    const range = part === "5xx"
      ? ["", "500", "599"]
      : part === "gateway-error"
      ? ["", "502", "504"]
      : /^(\d{3})(?:-(\d{3}))?$/.exec(part);
    const from = Number(range?.[1]);
    const to = Number(range?.[2] ?? range?.[1]);
    if (!(from >= 400 && to <= 599 && from <= to)) {
      report.annotation(meta, "retry.tulle.dev/http", part, "status codes 400–599, ranges, 5xx or gateway-error");
      continue;
    }
    for (let code = from; code <= to; code++) codes.add(code);
  }
  return [...codes].sort((a, b) => a - b);
}

const ACCRUAL = "balancer.tulle.dev/failure-accrual";

/** Circuit breaking a Service asks for; null when it says nothing. Defaults: 7 failures, 1 s, 60 s. */
export function breakerOf(meta: Meta, report: Report): Breaker | null {
  const value = meta.annotations[ACCRUAL];
  if (value === undefined) return null;
  if (value !== "consecutive" && value !== "unified") {
    report.annotation(meta, ACCRUAL, value, "consecutive or unified");
    return null;
  }
  const min = durationOf(meta, `${ACCRUAL}-consecutive-min-penalty`, report) ?? 1000;
  const max = durationOf(meta, `${ACCRUAL}-consecutive-max-penalty`, report, min);
  return {
    consecutiveFailures: numberOf(meta, `${ACCRUAL}-consecutive-max-failures`, 7, 1, 10_000, report),
    minPenaltyMs: min,
    maxPenaltyMs: Math.max(min, max ?? 60_000),
  };
}

function numberOf(meta: Meta, key: string, fallback: number, min: number, max: number, report: Report): number {
  const value = meta.annotations[key];
  if (value === undefined) return fallback;
  const number = /^\d{1,6}$/.test(value) ? Number(value) : -1;
  if (number >= min && number <= max) return number;
  report.annotation(meta, key, value, `a number ${min}–${max}`);
  return fallback;
}
