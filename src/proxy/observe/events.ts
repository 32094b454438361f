/** Exchanges as events for the access log and for tap; nothing is built while nobody wants it. */
import type { AccessEntry, AccessLog } from "../../telemetry/access_log.ts";
import type { TapHub } from "../../telemetry/tap.ts";
import type { Exchange } from "../exchange/exchange.ts";

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
