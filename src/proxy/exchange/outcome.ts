/** How an exchange ended, in the words of metrics and retries. */
import type { Exchange } from "./exchange.ts";

/** gRPC statuses that are the endpoint's fault: DEADLINE_EXCEEDED, INTERNAL, UNAVAILABLE, DATA_LOSS. */
export const ENDPOINT_FAILURES = (1 << 4) | (1 << 13) | (1 << 14) | (1 << 15);
/** … and those that count as failures: UNKNOWN as well, which is what an application's own exceptions become. */
const GRPC_FAILURES = ENDPOINT_FAILURES | (1 << 2);
/** Codes of gRPC are 0–16; -1 stands for none. */
const MAX_GRPC_STATUS = 16;

/** Whether a gRPC status is in a set of bits. */
export function isGrpcStatusIn(status: number, set: number): boolean {
  return status >= 0 && status <= MAX_GRPC_STATUS && ((set >> status) & 1) === 1;
}

/** Whether the exchange counts as a success. A client that goes away after the response began is no failure. */
export function isSuccess(exchange: Exchange): boolean {
  if (exchange.error !== null && !(exchange.error.code === "cancelled" && exchange.headMs > 0)) return false;
  if (exchange.status >= 500 || exchange.status === 0) return false;
  return !isGrpcStatusIn(exchange.grpcStatus, GRPC_FAILURES);
}

/** From the request's head to the response's head, or to the end when there was none; milliseconds. */
export function latencyOf(exchange: Exchange): number {
  return (exchange.headMs > 0 ? exchange.headMs : exchange.context.clock()) - exchange.startedMs;
}
