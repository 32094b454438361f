/** Metrics, access log and tap of what reaches the workload. */
import type { Logger } from "../base/log.ts";
import type { ResourceRef } from "../model/resource.ts";
import type { RateScope } from "./limit/rate_limiter.ts";
import type { HttpSeries } from "../telemetry/http_series.ts";
import type { ProxyMetrics } from "../telemetry/proxy_metrics.ts";
import type { CounterSeries } from "../telemetry/series.ts";
import { DetectionCounts } from "./detection_counts.ts";
import type { Downstream } from "./downstream.ts";
import type { Exchange } from "./exchange.ts";
import { type EventSink, isSuccess, latencyOf } from "./events.ts";
import type { InboundClient } from "./inbound_client.ts";
import type { ConnectionCounters } from "../net/connection_stats.ts";
import type { Detected, InboundHttpObserver, InboundObserver } from "./observe.ts";
import { type Refusal, refusalOf } from "../http/refusal.ts";
import type { Verdict } from "./policy/verdict.ts";
import type { FailureCode } from "./upstream/failure.ts";

/** Series of one client's view of one verdict. */
interface VerdictSeries {
  readonly http: HttpSeries;
  readonly decision: CounterSeries;
}

export class InboundMetrics implements InboundHttpObserver, InboundObserver {
  readonly #metrics: ProxyMetrics;
  readonly #events: EventSink;
  readonly #log: Logger;
  readonly #detections: DetectionCounts;
  /** Verdicts are few and shared; the second key is the client's mark and port. */
  #series = new WeakMap<Verdict, Map<string, VerdictSeries>>();

  constructor(metrics: ProxyMetrics, events: EventSink, log: Logger) {
    this.#metrics = metrics;
    this.#events = events;
    this.#log = log;
    this.#detections = new DetectionCounts(metrics, "inbound");
  }

  onVerdict(exchange: Exchange, verdict: Verdict): void {
    const series = this.#of(clientOf(exchange), verdict);
    exchange.series = series;
    series.decision.add(1);
    series.http.onRequest();
    if (verdict.audit) this.#audit(clientOf(exchange), verdict);
  }

  onRateLimited(exchange: Exchange, policy: ResourceRef, scope: RateScope): void {
    const labels = this.#labels(clientOf(exchange), exchange.verdict as Verdict); // decided before
    this.#metrics.rateLimited(labels, policy, scope).add(1);
  }

  onRequest(): void {}

  onFinished(exchange: Exchange): void {
    const error = exchange.error?.code ?? "";
    if (error !== "" && error !== "cancelled") this.#metrics.countError("inbound", "http", error);
    const series = exchange.series as VerdictSeries; // set by onVerdict, which comes first
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
    const labels = this.#labels(client, verdict);
    if (verdict.kind === "permit") this.#metrics.authzAllow("tcp", labels).add(1);
    else {
      this.#metrics.authzDeny("tcp", labels).add(1);
      this.#log.warn("connection refused by policy", { ...this.#where(client), reason: verdict.reason });
    }
    if (verdict.audit) this.#audit(client, verdict);
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

  #of(client: InboundClient, verdict: Verdict): VerdictSeries {
    if (client.seriesVerdict !== verdict) {
      client.series = this.#find(client, verdict);
      client.seriesVerdict = verdict;
    }
    return client.series as VerdictSeries; // only written above
  }

  #find(client: InboundClient, verdict: Verdict): VerdictSeries {
    let byClient = this.#series.get(verdict);
    if (byClient === undefined) {
      byClient = new Map();
      this.#series.set(verdict, byClient);
    }
    const key = client.seriesKey;
    let series = byClient.get(key);
    if (series === undefined) {
      series = this.#make(client, verdict);
      byClient.set(key, series);
    }
    return series;
  }

  #make(client: InboundClient, verdict: Verdict): VerdictSeries {
    const labels = this.#labels(client, verdict);
    const http = this.#metrics.httpSeries({
      direction: "inbound",
      tls: labels.tls,
      clientId: labels.clientId,
      targetAddr: labels.targetAddr,
      server: verdict.server,
      authz: verdict.policy,
      ...(verdict.route === null ? {} : { route: verdict.route }),
    });
    const decision = verdict.kind === "permit"
      ? this.#metrics.authzAllow("http", labels)
      : verdict.cause === "no_route"
      ? this.#metrics.routeNotFound(labels)
      : this.#metrics.authzDeny("http", labels);
    return { http, decision };
  }

  #labels(client: InboundClient, verdict: Verdict) {
    return {
      tls: client.isMesh ? "true" as const : "no_identity" as const,
      clientId: client.peer.identity ?? "",
      targetAddr: client.application.endpoint.key,
      server: verdict.server,
      authz: verdict.policy,
      ...(verdict.route === null ? {} : { route: verdict.route }),
    };
  }

  #audit(client: InboundClient, verdict: Verdict): void {
    const policy = verdict.auditPolicy === null ? "" : `${verdict.auditPolicy.namespace}/${verdict.auditPolicy.name}`;
    this.#log.info("policy in audit mode would have decided otherwise", {
      ...this.#where(client),
      policy,
      verdict: verdict.kind,
    });
  }

  #where(client: InboundClient): { client: string; client_id: string; port: number } {
    return { client: client.peer.ip, client_id: client.peer.identity ?? "", port: client.port };
  }
}

function clientOf(exchange: Exchange): InboundClient {
  return (exchange.context as Downstream).route as InboundClient; // inbound connections are made with one
}
