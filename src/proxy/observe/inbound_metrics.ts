/** Metrics, access log and tap of what reaches the workload. */
import type { Logger } from "../../base/log.ts";
import type { ResourceRef } from "../../model/resource.ts";
import type { RateScope } from "../limit/rate_limiter.ts";
import type { HttpSeries } from "../../telemetry/http_series.ts";
import type { AuthzKind, ProxyMetrics } from "../../telemetry/proxy_metrics.ts";
import { DetectionCounts } from "./detection_counts.ts";
import type { Downstream } from "../exchange/downstream.ts";
import type { Exchange } from "../exchange/exchange.ts";
import type { FlowTable } from "./flows.ts";
import { isSuccess, latencyOf } from "../exchange/outcome.ts";
import type { EventSink } from "./events.ts";
import type { InboundClient } from "../inbound/inbound_client.ts";
import type { ConnectionCounters } from "../../net/connection_stats.ts";
import type { Detected, InboundHttpObserver, InboundObserver } from "./observe.ts";
import { type Refusal, refusalOf } from "../../http/refusal.ts";
import type { Verdict } from "../policy/verdict.ts";
import type { FailureCode } from "../upstream/failure.ts";
import { labelsOf, VerdictSeries, whoAndWhere } from "./verdict_series.ts";

/** What is counted of the requests that one client makes under one verdict. */
interface RequestSeries {
  readonly http: HttpSeries;
  readonly verdict: VerdictSeries;
}

export class InboundMetrics implements InboundHttpObserver, InboundObserver {
  readonly #metrics: ProxyMetrics;
  readonly #events: EventSink;
  readonly #log: Logger;
  readonly #flows: FlowTable;
  readonly #clock: () => number;
  readonly #detections: DetectionCounts;
  /** Verdicts are few and shared; the second key is the client's identity and port. */
  readonly #series = new WeakMap<Verdict, Map<string, RequestSeries>>();
  readonly #tcpSeries = new WeakMap<Verdict, Map<string, VerdictSeries>>();

  /** @param clock monotonic milliseconds */
  constructor(metrics: ProxyMetrics, events: EventSink, log: Logger, flows: FlowTable, clock: () => number) {
    this.#flows = flows;
    this.#clock = clock;
    this.#metrics = metrics;
    this.#events = events;
    this.#log = log;
    this.#detections = new DetectionCounts(metrics, "inbound");
  }

  onVerdict(exchange: Exchange, verdict: Verdict): void {
    const client = clientOf(exchange);
    const series = this.#of(client, verdict);
    exchange.series = series;
    series.verdict.decided(client, exchange.request, this.#log);
    series.http.onRequest();
    this.#flows.request(client, exchange.request, verdict, exchange.startedMs);
  }

  onRevoked(exchange: Exchange, verdict: Verdict): void {
    this.#revoked("http", clientOf(exchange), verdict);
  }

  onRateLimited(exchange: Exchange, policy: ResourceRef, scope: RateScope): void {
    const labels = labelsOf(clientOf(exchange), exchange.verdict as Verdict); // decided before
    this.#metrics.rateLimited(labels, policy, scope).add(1);
  }

  onRequest(): void {}

  onFinished(exchange: Exchange): void {
    const error = exchange.error?.code ?? "";
    if (error !== "" && error !== "cancelled") this.#metrics.countError("inbound", "http", error);
    const series = exchange.series as RequestSeries; // set by onVerdict, which comes first
    const shown = error === "cancelled" && exchange.headMs > 0 ? "" : error;
    series.http.onResponse(exchange.status, exchange.grpcStatus, latencyOf(exchange), isSuccess(exchange), shown);
    if (!this.#events.wanted) return;
    const route = exchange.verdict?.route ?? null;
    this.#events.request(
      "inbound",
      exchange,
      exchange.context.clientId ?? "",
      route === null ? "" : `${route.namespace}/${route.name}`,
    );
  }

  clients(client: InboundClient): ConnectionCounters {
    return this.#metrics.tcpSeries({
      direction: "inbound",
      peer: "src",
      tls: client.isMesh ? "true" : "no_identity",
      clientId: client.peer.identity ?? "",
      targetAddr: client.application.endpoint.key,
    });
  }

  onDetected(result: Detected): void {
    this.#detections.add(result);
  }

  onTcpVerdict(client: InboundClient, verdict: Verdict): void {
    const make = () => new VerdictSeries(this.#metrics, "tcp", client, verdict);
    seriesOf(this.#tcpSeries, client, verdict, make).decided(client, null, this.#log);
    this.#flows.connection(client, verdict, this.#clock());
  }

  onTcpRevoked(client: InboundClient, verdict: Verdict): void {
    this.#revoked("tcp", client, verdict);
  }

  onTcpError(code: FailureCode): void {
    this.#metrics.countError("inbound", "tcp", code);
  }

  onBadRequest(status: number): void {
    this.#metrics.countError("inbound", "http", "bad_request");
    this.#metrics.countRefusal("inbound", refusalOf(status));
  }

  onRefused(reason: Refusal, detail: string, client: string): void {
    this.#metrics.countRefusal("inbound", reason);
    this.#log.warn("client refused", { direction: "inbound", reason, detail, client });
  }

  onTransportHeader(result: string): void {
    this.#metrics.countTransportHeader(result);
  }

  onRefusedPeer(code: string, detail: string): void {
    this.#metrics.countTransportHeader(code);
    this.#log.warn("peer refused on the mesh port", { code, detail });
  }

  #of(client: InboundClient, verdict: Verdict): RequestSeries {
    if (client.seriesVerdict !== verdict) {
      client.series = seriesOf(this.#series, client, verdict, () => this.#make(client, verdict));
      client.seriesVerdict = verdict;
    }
    return client.series as RequestSeries; // only written above
  }

  #make(client: InboundClient, verdict: Verdict): RequestSeries {
    return {
      http: this.#metrics.httpSeries({ direction: "inbound", ...labelsOf(client, verdict) }),
      verdict: new VerdictSeries(this.#metrics, "http", client, verdict),
    };
  }

  #revoked(kind: AuthzKind, client: InboundClient, verdict: Verdict): void {
    this.#metrics.authzTerminate(kind, labelsOf(client, verdict)).add(1);
    const what = kind === "http" ? "request" : "connection";
    this.#log.warn(`${what} ended: policy does not admit it any more`, whoAndWhere(client, verdict));
  }
}

/** The series of a client's view of a verdict, shared by clients that metrics do not tell apart. */
function seriesOf<T>(
  all: WeakMap<Verdict, Map<string, T>>,
  client: InboundClient,
  verdict: Verdict,
  make: () => T,
): T {
  let byClient = all.get(verdict);
  if (byClient === undefined) {
    byClient = new Map();
    all.set(verdict, byClient);
  }
  const known = byClient.get(client.seriesKey);
  if (known !== undefined) return known;
  const made = make();
  byClient.set(client.seriesKey, made);
  return made;
}

function clientOf(exchange: Exchange): InboundClient {
  return (exchange.context as Downstream).route as InboundClient; // inbound connections are made with one
}
