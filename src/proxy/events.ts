/** Exchanges as events for the access log and for tap; nothing is built while nobody wants it. */
import type { AccessEntry, AccessLog } from "../telemetry/access_log.ts";
import type { TapHub } from "../telemetry/tap.ts";
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

export class EventSink {
  readonly #log: AccessLog | null;
  readonly #tap: TapHub;

  /** @param log null when the access log is off */
  constructor(log: AccessLog | null, tap: TapHub) {
    this.#log = log;
    this.#tap = tap;
  }

  /** Somebody wants events. */
  get wanted(): boolean {
    return this.#log !== null || this.#tap.isWatched;
  }

  /** A request has ended. */
  request(direction: "inbound" | "outbound", exchange: Exchange, peerId: string, route: string): void {
    const { request } = exchange;
    this.#send({
      direction,
      protocol: exchange.clientMinorVersion < 0 ? "http/2" : `http/1.${exchange.clientMinorVersion}`,
      source: exchange.context.client,
      destination: exchange.lastEndpoint?.endpoint.key ?? "",
      peerId,
      method: request.method,
      authority: request.authority,
      path: request.path,
      route,
      status: exchange.status,
      grpcStatus: exchange.grpcStatus,
      error: exchange.error?.code ?? "",
      requestBytes: exchange.requestBytes,
      responseBytes: exchange.responseBytes,
      durationMs: exchange.context.clock() - exchange.startedMs,
    });
  }

  #send(entry: AccessEntry): void {
    this.#log?.log(entry);
    if (this.#tap.isWatched) this.#tap.publish(entry);
  }
}
