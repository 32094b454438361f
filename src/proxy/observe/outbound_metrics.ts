/** Metrics, access log and tap of what leaves the workload. */
import type { Logger } from "../../base/log.ts";
import { type Refusal, refusalOf } from "../../http/refusal.ts";
import type { Backend, Endpoint, OutboundTarget, RouteRule } from "../../model/outbound.ts";
import type { HttpSeries } from "../../telemetry/http_series.ts";
import type { ProxyMetrics } from "../../telemetry/proxy_metrics.ts";
import { DetectionCounts } from "./detection_counts.ts";
import type { Downstream } from "../exchange/downstream.ts";
import type { Exchange } from "../exchange/exchange.ts";
import type { MirrorResult } from "../outbound/mirror_copy.ts";
import type { ConnectionCounters } from "../../net/connection_stats.ts";
import type { Detected, EgressProtocol, OutboundHttpObserver, OutboundObserver, RetryOutcome } from "./observe.ts";
import type { CompiledTarget, TargetEntry } from "../outbound/outbound_targets.ts";
import { isSuccess, latencyOf } from "../exchange/outcome.ts";
import type { EventSink } from "./events.ts";
import type { EndpointState } from "../upstream/endpoint_state.ts";
import type { TripReason } from "../upstream/breaker.ts";
import type { CounterSeries } from "../../telemetry/series.ts";
import type { ResilienceEvent } from "../upstream/upstreams.ts";
import type { Fault } from "../../model/fault.ts";
import { faultName } from "../exchange/fault.ts";
import type { EgressVerdict } from "../policy/egress.ts";
import type { FailureCode } from "../upstream/failure.ts";

export class OutboundMetrics implements OutboundHttpObserver, OutboundObserver {
  readonly #metrics: ProxyMetrics;
  readonly #events: EventSink;
  readonly #log: Logger;
  readonly #unrouted = new WeakMap<object, HttpSeries>();
  readonly #clients = new WeakMap<CompiledTarget, ConnectionCounters>();
  readonly #detections: DetectionCounts;
  readonly #resilience = new WeakMap<Backend, Map<ResilienceEvent, CounterSeries>>();

  constructor(metrics: ProxyMetrics, events: EventSink, log: Logger) {
    this.#metrics = metrics;
    this.#events = events;
    this.#log = log;
    this.#detections = new DetectionCounts(metrics, "outbound");
  }

  onVerdict(): void {}

  onRequest(exchange: Exchange): void {
    this.#series(exchange).onRequest();
  }

  onRetry(exchange: Exchange, outcome: RetryOutcome): void {
    this.#countRetry(exchange, outcome);
  }

  onBreakerOpen(backend: Backend, reason: TripReason): void {
    this.#metrics.countBreakerOpen(backendLabels(backend), reason);
  }

  onResilience(backend: Backend, event: ResilienceEvent): void {
    let counters = this.#resilience.get(backend);
    if (counters === undefined) this.#resilience.set(backend, counters = new Map());
    let counter = counters.get(event);
    if (counter === undefined) {
      counters.set(event, counter = this.#metrics.resilience(backendLabels(backend), event));
    }
    counter.add(1);
  }

  onMirror(target: OutboundTarget, { ref }: RouteRule, result: MirrorResult): void {
    this.#metrics.countMirror(result, { parent: target.parent, parentPort: target.port, route: ref });
  }

  onFinished(exchange: Exchange): void {
    if (exchange.history !== null && isSuccess(exchange)) this.#countRetry(exchange, "successes");
    const error = exchange.error?.code ?? "";
    if (error !== "" && error !== "cancelled") this.#metrics.countError("outbound", "http", error);
    if (exchange.attempts === 0) this.#series(exchange).onRequest();
    this.#series(exchange).onResponse(
      exchange.status,
      exchange.grpcStatus,
      latencyOf(exchange),
      isSuccess(exchange),
      error === "cancelled" && exchange.headMs > 0 ? "" : error,
    );
    if (this.#events.wanted) {
      this.#events.request(
        "outbound",
        exchange,
        exchange.lastEndpoint?.endpoint.identity ?? "",
        routeName(exchange.rule),
      );
    }
  }

  clients(entry: TargetEntry): ConnectionCounters {
    let counters = this.#clients.get(entry.current);
    if (counters !== undefined) return counters;
    const { parent, authority } = entry.current.target;
    counters = this.#metrics.tcpSeries({
      direction: "outbound",
      peer: "src",
      tls: "loopback",
      authority,
      dstNamespace: parent.namespace,
      dstService: parent.kind === "Service" ? parent.name : "",
    });
    this.#clients.set(entry.current, counters);
    return counters;
  }

  /** Counters of this proxy's connections to an endpoint. */
  endpoints(endpoint: Endpoint, backend: Backend, meshed: boolean, authority: string): ConnectionCounters {
    return this.#metrics.tcpSeries({
      direction: "outbound",
      peer: "dst",
      tls: meshed ? "true" : "no_identity",
      authority,
      serverId: meshed ? endpoint.identity : "",
      dstNamespace: backend.ref.namespace,
      dstService: backend.ref.kind === "Service" ? backend.ref.name : "",
    });
  }

  onDetected(result: Detected): void {
    this.#detections.add(result);
  }

  onFault(fault: Fault): void {
    this.#metrics.countFault(fault.policy, faultName(fault));
  }

  onEgress(entry: TargetEntry, protocol: EgressProtocol, host: string, verdict: EgressVerdict): void {
    const { permit, network, cause, reason } = verdict;
    this.#metrics.countEgress(permit ? "allow" : "deny", protocol, network, cause);
    if (!permit) this.#log.warn("refused to leave the mesh", { target: entry.key, protocol, host, reason });
  }

  onEgressRevoked(entry: TargetEntry, protocol: EgressProtocol, host: string, verdict: EgressVerdict): void {
    this.#metrics.countEgress("revoke", protocol, verdict.network, verdict.cause);
    this.#log.warn("ended what may not leave the mesh any more", {
      target: entry.key,
      protocol,
      host,
      reason: verdict.reason,
    });
  }

  onTcpError(code: FailureCode): void {
    this.#metrics.countError("outbound", "tcp", code);
  }

  onBadRequest(status: number): void {
    this.#metrics.countError("outbound", "http", "bad_request");
    this.#metrics.countRefusal("outbound", refusalOf(status));
  }

  onRefused(reason: Refusal, detail: string, client: string): void {
    this.#metrics.countRefusal("outbound", reason);
    this.#log.warn("client refused", { direction: "outbound", reason, detail, client });
  }

  #countRetry(exchange: Exchange, outcome: RetryOutcome | "successes"): void {
    const { target } = entryOf(exchange).current;
    this.#metrics.countRetry(outcome, {
      parent: target.parent,
      parentPort: target.port,
      route: exchange.rule?.ref ?? target.parent,
    });
  }

  #series(exchange: Exchange): HttpSeries {
    const { lastEndpoint, rule } = exchange;
    if (lastEndpoint === null || rule === null) return this.#unroutedSeries(exchange);
    if (lastEndpoint.seriesKey === rule) return lastEndpoint.series as HttpSeries; // only written below
    const series = this.#make(exchange, rule, lastEndpoint);
    lastEndpoint.seriesKey = rule;
    lastEndpoint.series = series;
    return series;
  }

  #unroutedSeries(exchange: Exchange): HttpSeries {
    const key = exchange.rule ?? entryOf(exchange).current;
    let series = this.#unrouted.get(key);
    if (series === undefined) {
      series = this.#make(exchange, exchange.rule, null);
      this.#unrouted.set(key, series);
    }
    return series;
  }

  #make(exchange: Exchange, rule: RouteRule | null, endpoint: EndpointState | null): HttpSeries {
    const { target } = entryOf(exchange).current;
    const { parent } = target;
    return this.#metrics.httpSeries({
      direction: "outbound",
      tls: endpoint?.meshed === true ? "true" : "no_identity",
      authority: target.authority,
      serverId: endpoint?.endpoint.identity ?? "",
      dstNamespace: parent.namespace,
      dstService: parent.kind === "Service" ? parent.name : "",
      dstPort: target.port,
      ...(rule === null ? {} : { route: rule.ref }),
    });
  }
}

/** What names a backend in metrics. */
export function backendLabels(backend: Backend): { namespace: string; name: string; port: number } {
  return { namespace: backend.ref.namespace, name: backend.ref.name, port: backend.port };
}

function routeName(rule: RouteRule | null): string {
  return rule === null ? "" : `${rule.ref.namespace}/${rule.ref.name}`;
}

function entryOf(exchange: Exchange): TargetEntry {
  return (exchange.context as Downstream).route as TargetEntry; // outbound connections are made with one
}
