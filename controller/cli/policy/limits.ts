/** What bounds or spoils requests beside routes and authorization, in words. */
import { formatDuration } from "../../../src/base/duration.ts";
import type { explainFaults, InboundJudge } from "../../../src/proxy/explain.ts";
import type { TargetSnapshot } from "./mesh_view.ts";
import { refText } from "./refs.ts";

type Backend = TargetSnapshot["backends"][number];
type Fault = ReturnType<typeof explainFaults>[number];
type Rates = ReturnType<InboundJudge["rates"]>[number];
type Rate = NonNullable<Rates["total"]>;

/** "FaultInjection shop/slow: 10 % wait 2s, then get 503; until 2026-01-31T12:00:00.000Z" */
export function faultText(fault: Fault): string {
  const { policy, share, delayMs, httpStatus, grpcStatus, reset, untilMs } = fault;
  const { requestBytesPerSecond, responseBytesPerSecond } = fault;
  const answers = [
    ...(httpStatus === 0 ? [] : [`get ${httpStatus}`]),
    ...(grpcStatus === 0 ? [] : [`get gRPC status ${grpcStatus}`]),
    ...(reset ? ["are reset"] : []),
  ].join(" or ");
  const what = [
    ...(delayMs === 0 ? [] : [`wait ${formatDuration(delayMs)}`]),
    ...(requestBytesPerSecond === 0 ? [] : [`send ${requestBytesPerSecond} bytes/s`]),
    ...(responseBytesPerSecond === 0 ? [] : [`receive ${responseBytesPerSecond} bytes/s`]),
    ...(answers === "" ? [] : [answers]),
  ];
  return `${refText(policy)}: ${share / 100} % ${what.join(", then ")}; until ${new Date(untilMs).toISOString()}`;
}

/** "RateLimitPolicy shop/web: 100/s (150 at once) in all; 5/s (5 at once) for each identity; by instance" */
export function ratesText({ policy, total, identity, isOwn, header }: Rates): string {
  const parts = [
    ...(total === null ? [] : [`${rateText(total)} in all`]),
    ...(identity === null ? [] : [`${rateText(identity)} ${isOwn ? "for this caller" : "for each identity"}`]),
    ...(header === null ? [] : [`${rateText(header.rate)} for each value of ${header.name}`]),
  ];
  return `${refText(policy)}: ${parts.join("; ")}; by instance`;
}

function rateText({ requestsPerSecond, burst }: Rate): string {
  return `${requestsPerSecond}/s (${burst} at once)`;
}

/** How a client treats the endpoints, one line each; none where only the defaults hold. */
export function resilienceTexts({ breaker, resilience }: Backend): string[] {
  const { consecutiveFailures, minPenaltyMs, maxPenaltyMs } = breaker;
  const breaks = consecutiveFailures === 0 ? [] : [
    `an endpoint is left out for ${formatDuration(minPenaltyMs)} to ${formatDuration(maxPenaltyMs)} after ` +
    `${consecutiveFailures} failures in a row`,
  ];
  if (resilience === null) return breaks;
  const { policy, ejection, slowStartMs, retryBudget, hedging, concurrency, zone, hash } = resilience;
  const said: string[] = [];
  if (ejection !== null) {
    const { minSuccessPercent, slowAfterMs, maxSlowPercent, windowMs, maxEjectedPercent } = ejection;
    if (minSuccessPercent > 0) said.push(`left out below ${minSuccessPercent} % of successes`);
    if (slowAfterMs > 0) {
      said.push(`left out where over ${maxSlowPercent} % take longer than ${formatDuration(slowAfterMs)}`);
    }
    said.push(`window ${formatDuration(windowMs)}, at most ${maxEjectedPercent} % of them out`);
  }
  if (slowStartMs > 0) said.push(`slow start ${formatDuration(slowStartMs)}`);
  if (retryBudget !== null) {
    said.push(`retry budget ${retryBudget.percent} % and ${retryBudget.minPerSecond}/s`);
  }
  if (hedging !== null) said.push(`a second endpoint is asked after ${formatDuration(hedging.delayMs)}`);
  if (concurrency !== null) {
    const { limit, min, max } = concurrency;
    said.push(`requests at a time to an endpoint: ${max === 0 ? limit : `${min} to ${max}, adapting`}`);
  }
  if (zone !== null) said.push(`own zone first, up to ${zone.spillOver} requests at a time to an endpoint`);
  if (hash !== null) said.push(hashText(hash));
  return [...breaks, `${refText(policy)}: ${said.join("; ")}`];
}

const KEYS = { header: "header", cookie: "cookie", query: "query parameter" } as const;

function hashText({ by, name, balancePercent, affinityMs }: NonNullable<NonNullable<Backend["resilience"]>["hash"]>) {
  const key = by === "source_ip"
    ? "the client's address"
    : by === "identity"
    ? "the client's identity"
    : `the ${KEYS[by]} ${name}`;
  if (affinityMs > 0) return `a client stays with its endpoint until it asks nothing for ${formatDuration(affinityMs)}`;
  const bound = balancePercent === 0 ? "" : `, up to ${balancePercent} % of the mean under way to it`;
  return `one endpoint for each value of ${key}${bound}`;
}
