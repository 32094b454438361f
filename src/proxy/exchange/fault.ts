/** Which fault a request gets, if any, and what it looks like. */
import type { Fault } from "../../model/fault.ts";
import type { Failure } from "../upstream/failure.ts";

/** A share of all requests. */
const ALL = 10_000;

/**
 * Chooses the first fault that is for the caller, is not over, and takes the request as part of its share.
 *
 * @param identity of this workload
 * @param wallMs milliseconds since 1970: a fault ends by itself, also when nobody says so
 * @param random uniform in [0, 1), called once for each fault that could apply
 */
export function chooseFault(
  faults: readonly Fault[],
  identity: string,
  wallMs: number,
  random: () => number,
): Fault | null {
  for (const fault of faults) {
    if (isFaultFor(fault, identity, wallMs) && random() * ALL < fault.share) return fault;
  }
  return null;
}

/** Whether a fault is for the caller, and not over. */
export function isFaultFor({ untilMs, identities }: Fault, identity: string, wallMs: number): boolean {
  return wallMs < untilMs && (identities.length === 0 || identities.includes(identity));
}

/** What a fault is counted as: what is worst of it. */
export function faultName(fault: Fault): "reset" | "abort" | "delay" | "bandwidth" {
  if (fault.reset) return "reset";
  if (fault.httpStatus + fault.grpcStatus > 0) return "abort";
  return fault.delayMs > 0 ? "delay" : "bandwidth";
}

/** How the request ends; null: it goes on (after its delay). */
export function faultFailure(fault: Fault): Failure | null {
  const { httpStatus, grpcStatus, reset, policy } = fault;
  if (httpStatus === 0 && grpcStatus === 0 && !reset) return null;
  const detail = `injected by FaultInjection ${policy.namespace}/${policy.name}`;
  const rendered = {
    ...(httpStatus === 0 ? {} : { status: httpStatus }),
    ...(grpcStatus === 0 ? {} : { grpc: grpcStatus }),
  };
  return { code: "fault_injected", detail, unprocessed: false, ...rendered, ...(reset ? { isReset: true } : {}) };
}
