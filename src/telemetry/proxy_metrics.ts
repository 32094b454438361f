/**
 * The metrics of a proxy, with Linkerd's names and labels where they fit, so that existing dashboards work.
 *
 * Ask for series when a route, an endpoint or a listener is compiled and keep them; on the hot path call their methods only.
 */
import { COMMIT, VERSION } from "../base/version.ts";
import { LATENCY_MS_BOUNDS } from "./histogram.ts";
import { type HttpFamilies, HttpSeries } from "./http_series.ts";
import { IdleTracker } from "./idle.ts";
import type { Labels } from "./labels.ts";
import { type ConnectionLabels, connectionLabels, type PolicyLabels, policyLabels } from "./proxy_labels.ts";
import { type RequestLabels, requestLabels, type ResourceLabels, resourceLabels } from "./proxy_labels.ts";
import { Registry } from "./registry.ts";
import { CounterSeries, GaugeSeries } from "./series.ts";
import { SeriesCache } from "./series_cache.ts";
import { type TcpFamilies, TcpSeries } from "./tcp_series.ts";

export type Direction = "inbound" | "outbound";

/** What a decision of policy was about. */
export type AuthzKind = "http" | "tcp";

/** Endpoints of one balancer by state. */
export interface BalancerGauges {
  /**
   * @param held requests that wait for an endpoint
   * @param limit requests that may be under way to all of them; Infinity: as many as there are
   */
  set(ready: number, pending: number, held: number, limit: number): void;
  /** The balancer is gone. */
  close(): void;
}

/** A backend, as metrics name it. */
export interface BackendName {
  readonly namespace: string;
  readonly name: string;
  readonly port: number;
}

/** An object of the configuration, as metrics name it. */
interface ObjectName {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

/** A route and what it is attached to. */
export interface RouteName {
  readonly parent: ObjectName;
  readonly parentPort: number;
  readonly route: ObjectName;
}

export class ProxyMetrics {
  readonly registry = new Registry();
  /** Time until which the leaf is valid, seconds since 1970. */
  readonly certExpirationSeconds: GaugeSeries;
  /** Time of the last renewal, seconds since 1970. */
  readonly certRefreshSeconds: GaugeSeries;
  /** 1 while the stream to the controller is open. */
  readonly controllerConnected: GaugeSeries;
  /** Lines of the access log that were not written: nobody read fast enough, or the disk was full. */
  readonly accessLogDropped: CounterSeries;
  readonly #logDropped: CounterSeries;
  #logDroppedSoFar = 0;
  #roots: readonly string[] = [];
  #signing: readonly string[] = [];
  readonly #idle = new IdleTracker();
  readonly #http: HttpFamilies;
  readonly #tcp: TcpFamilies;
  readonly #httpSeries = new SeriesCache<HttpSeries>();
  readonly #tcpSeries = new SeriesCache<TcpSeries>();
  readonly #counters = new SeriesCache<CounterSeries>();

  /** @param nowMs monotonic clock, milliseconds; read at each scrape only */
  constructor(nowMs: () => number) {
    const registry = this.registry;
    this.#http = {
      requests: registry.counter("request_total", "Requests received, by route and peer."),
      responses: registry.counter("response_total", "Responses ended, by outcome."),
      latencyMs: registry.histogram(
        "response_latency_ms",
        "Time from the head of a request to the head of its response, milliseconds.",
        LATENCY_MS_BOUNDS,
      ),
    };
    this.#tcp = {
      opened: registry.counter("tcp_open_total", "Connections opened."),
      closed: registry.counter("tcp_close_total", "Connections closed, by reason."),
      open: registry.gauge("tcp_open_connections", "Connections open now."),
      readBytes: registry.counter("tcp_read_bytes_total", "Bytes read from the peer."),
      writtenBytes: registry.counter("tcp_write_bytes_total", "Bytes written to the peer."),
    };
    for (const [name, help] of COUNTERS) registry.counter(name, help);
    for (const [name, help] of GAUGES) registry.gauge(name, help, "max"); // all threads see the same
    this.certExpirationSeconds = this.#gauge("control_identity_cert_expiration_timestamp_seconds", []);
    this.certRefreshSeconds = this.#gauge("control_identity_cert_refresh_timestamp_seconds", []);
    this.controllerConnected = this.#gauge("tulle_controller_connected", []);
    this.accessLogDropped = this.#counter("tulle_access_log_dropped_total", []);
    this.#logDropped = this.#counter("tulle_log_dropped_total", []);
    this.#gauge("proxy_build_info", [["version", VERSION], ["commit", COMMIT]]).set(1);
    registry.onCollect(() => this.#idle.sweep(nowMs()));
  }

  /** Golden metrics for one route and peer. Equal labels give the same object. */
  httpSeries(labels: RequestLabels): HttpSeries {
    const pairs = requestLabels(labels);
    return this.#httpSeries.get(pairs, () => new HttpSeries(this.registry, this.#idle, this.#http, pairs));
  }

  /** Connections of one kind of peer. Equal labels give the same object. */
  tcpSeries(labels: ConnectionLabels): TcpSeries {
    const pairs = connectionLabels(labels);
    return this.#tcpSeries.get(pairs, () => new TcpSeries(this.registry, this.#idle, this.#tcp, pairs));
  }

  /** Counter of requests or connections that policy let in. */
  authzAllow(kind: AuthzKind, labels: PolicyLabels): CounterSeries {
    return this.#counter(`inbound_${kind}_authz_allow_total`, policyLabels(labels));
  }

  /** Counter of those that it refused. */
  authzDeny(kind: AuthzKind, labels: PolicyLabels): CounterSeries {
    return this.#counter(`inbound_${kind}_authz_deny_total`, policyLabels(labels));
  }

  /** Counter of those that were let in, and would not have been if what is in audit mode were enforced. */
  auditWouldDeny(kind: AuthzKind, labels: PolicyLabels): CounterSeries {
    return this.#counter(`inbound_${kind}_audit_would_deny_total`, policyLabels(labels));
  }

  /** Counter of those that were refused, and would not have been if what is in audit mode were enforced. */
  auditWouldAllow(kind: AuthzKind, labels: PolicyLabels): CounterSeries {
    return this.#counter(`inbound_${kind}_audit_would_allow_total`, policyLabels(labels));
  }

  /** Counter of those that were under way when a change of policy ended them. */
  authzTerminate(kind: AuthzKind, labels: PolicyLabels): CounterSeries {
    return this.#counter(`inbound_${kind}_authz_terminate_total`, policyLabels(labels));
  }

  /** Requests for which no route matched on a port that has some. */
  routeNotFound(labels: PolicyLabels): CounterSeries {
    return this.#counter("inbound_http_route_not_found_total", policyLabels(labels));
  }

  /** Lines of the process log that were lost since the start. */
  setLogDropped(lines: number): void {
    this.#logDropped.add(lines - this.#logDroppedSoFar);
    this.#logDroppedSoFar = lines;
  }

  /** Requests that came faster than a policy admits. @param scope which of its rates */
  rateLimited(labels: PolicyLabels, policy: ResourceLabels, scope: string): CounterSeries {
    const pairs: Labels = [...policyLabels(labels), ...resourceLabels("ratelimit", policy), ["ratelimit_scope", scope]];
    return this.#counter("inbound_http_local_ratelimit_total", pairs);
  }

  /** The roots that are trusted now. @param fingerprints of all of them */
  setTrustedRoots(fingerprints: readonly string[]): void {
    this.#roots = this.#markRoots("tulle_trust_root", this.#roots, fingerprints);
  }

  /** The root that signed the certificate in force. */
  setSigningRoot(fingerprint: string): void {
    this.#signing = this.#markRoots("tulle_certificate_root", this.#signing, [fingerprint]);
  }

  #markRoots(name: string, before: readonly string[], now: readonly string[]): readonly string[] {
    for (const sha256 of before) if (!now.includes(sha256)) this.#gauge(name, [["sha256", sha256]]).set(0);
    for (const sha256 of now) this.#gauge(name, [["sha256", sha256]]).set(1);
    return now;
  }

  /** Counts a request or connection that this proxy answered with an error of its own. @param error reason code */
  countError(direction: Direction, kind: AuthzKind, error: string): void {
    this.#counter(`${direction}_${kind}_errors_total`, [["error", error]]).add(1);
  }

  /** Connections by how their detection ended. */
  detections(direction: Direction, result: "http/1" | "http/2" | "not_http" | "server_first" | "error"): CounterSeries {
    return this.#counter(`${direction}_tcp_detect_http_results_total`, [["result", result]]);
  }

  /** Connections by what they turned out to be. */
  protocolConnections(direction: Direction, protocol: "http/1" | "http/2" | "detect" | "opaq" | "tls"): CounterSeries {
    return this.#counter(`${direction}_tcp_protocol_connections_total`, [["protocol", protocol]]);
  }

  /** Counts what became of a connection's TransportHeader. @param result "ok" or a reason code */
  countTransportHeader(result: string): void {
    this.#counter("inbound_tcp_transport_header_total", [["result", result]]).add(1);
  }

  /** Shows the endpoints of a balancer. @param backend "namespace/name:port" */
  balancerEndpoints(backend: BackendName): BalancerGauges {
    const labels = backendLabels(backend);
    const name = "outbound_http_balancer_endpoints";
    const ready = this.#gauge(name, [...labels, ["endpoint_state", "ready"]]);
    const pending = this.#gauge(name, [...labels, ["endpoint_state", "pending"]]);
    const queue = this.#gauge("outbound_http_balancer_queue_length", labels);
    let concurrency: GaugeSeries | null = null;
    const makeConcurrency = () => this.#gauge("outbound_http_balancer_concurrency_limit", labels);
    return {
      set(readyCount, pendingCount, held, limit) {
        if (Number.isFinite(limit)) (concurrency ??= makeConcurrency()).set(limit);
        else concurrency?.close();
        ready.set(readyCount);
        pending.set(pendingCount);
        queue.set(held);
      },
      close() {
        ready.close();
        pending.close();
        queue.close();
        concurrency?.close();
      },
    };
  }

  /** Counts an endpoint that its breaker took out. */
  countBreakerOpen(backend: BackendName, reason: string): void {
    const labels: Labels = [...backendLabels(backend), ["reason", reason]];
    this.#counter("outbound_http_balancer_breaker_open_total", labels).add(1);
  }

  /** Counts a connection or request to an address outside of the mesh, where policy has a say. @param reason of a refusal */
  countEgress(verdict: "allow" | "deny" | "revoke", protocol: string, network: ResourceLabels, reason: string): void {
    const said: Labels = verdict === "allow" ? [] : [["reason", reason]];
    const labels: Labels = [
      ["verdict", verdict],
      ["protocol", protocol],
      ...resourceLabels("egress", network),
      ...said,
    ];
    this.#counter("outbound_egress_total", labels).add(1);
  }

  /** Counts a request that was spoilt on purpose. @param fault delay, abort or reset */
  countFault(policy: ResourceLabels, fault: string): void {
    this.#counter("tulle_faults_injected_total", [...resourceLabels("fault", policy), ["fault", fault]]).add(1);
  }

  /** What a policy of resilience did to requests of a backend. @param event such as zone_spill */
  resilience(backend: BackendName, event: string): CounterSeries {
    return this.#counter("outbound_http_resilience_total", [...backendLabels(backend), ["event", event]]);
  }

  /** Counts what became of a wish to try a request again. */
  countRetry(outcome: "requests" | "successes" | "limit_exceeded" | "overflow", name: RouteName): void {
    this.#counter(`outbound_http_route_retry_${outcome}_total`, routeLabels(name)).add(1);
  }

  /** Counts what became of the copy of a request that a route mirrors. */
  countMirror(result: "answered" | "dropped" | "failed", name: RouteName): void {
    this.#counter("outbound_http_route_mirror_total", [...routeLabels(name), ["result", result]]).add(1);
  }

  /** Counts a renewal of the certificate. */
  countCertRefresh(result: "ok" | "error"): void {
    this.#counter("control_identity_cert_refreshes_total", [["result", result]]).add(1);
  }

  /** Counts an update from the controller. */
  countUpdate(result: "applied" | "refused"): void {
    this.#counter("tulle_discovery_updates_total", [["result", result]]).add(1);
  }

  /** Counts a connection or stream that was ended because of what its client did, or used up. */
  countRefusal(direction: Direction, reason: string): void {
    this.#counter("tulle_refusals_total", [["direction", direction], ["reason", reason]]).add(1);
  }

  /** Counts a connection that was ended before it was done. @param reason such as drain_deadline */
  countForcedClose(reason: string): void {
    this.#counter("tulle_forced_closes_total", [["reason", reason]]).add(1);
  }

  #counter(name: string, labels: Labels): CounterSeries {
    const create = () => new CounterSeries(this.registry, this.#idle, this.registry.family(name), labels);
    return this.#counters.get(labels, create, name);
  }

  #gauge(name: string, labels: Labels): GaugeSeries {
    return new GaugeSeries(this.registry, this.registry.family(name), labels);
  }
}

function backendLabels(backend: BackendName): Labels {
  return [
    ["backend_namespace", backend.namespace],
    ["backend_name", backend.name],
    ["backend_port", String(backend.port)],
  ];
}

const COUNTERS: readonly (readonly [name: string, help: string])[] = [
  ["inbound_http_authz_allow_total", "Requests that policy let in."],
  ["inbound_http_authz_deny_total", "Requests that policy refused."],
  ["inbound_tcp_authz_allow_total", "Connections that policy let in."],
  ["inbound_tcp_authz_deny_total", "Connections that policy refused."],
  ["inbound_http_audit_would_deny_total", "Requests let in that policy in audit mode (authz_*) would have refused."],
  ["inbound_tcp_audit_would_deny_total", "Connections let in that policy in audit mode (authz_*) would have refused."],
  ["inbound_http_audit_would_allow_total", "Requests refused that policy in audit mode (authz_*) would have let in."],
  ["inbound_tcp_audit_would_allow_total", "Connections refused that policy in audit mode (authz_*) would have let in."],
  ["inbound_http_authz_terminate_total", "Requests ended under way by a change of policy."],
  ["inbound_tcp_authz_terminate_total", "Connections ended by a change of policy."],
  ["inbound_http_route_not_found_total", "Requests that no route of the server matched."],
  ["inbound_http_local_ratelimit_total", "Requests that a RateLimitPolicy refused, by which of its rates."],
  ["inbound_http_errors_total", "Requests that the proxy answered with an error of its own."],
  ["outbound_http_errors_total", "Requests that the proxy answered with an error of its own."],
  ["outbound_http_route_retry_requests_total", "Requests that were sent once more."],
  ["outbound_http_route_retry_successes_total", "Requests that were sent more than once, and succeeded."],
  [
    "outbound_http_route_retry_limit_exceeded_total",
    "Requests that were not sent again: the limit of tries is reached.",
  ],
  ["outbound_http_route_retry_overflow_total", "Requests that were not sent again: the budget of retries is used up."],
  ["outbound_http_route_mirror_total", "Copies of requests that routes mirror, by what became of them."],
  ["outbound_http_balancer_breaker_open_total", "Endpoints that a circuit breaker took out."],
  ["outbound_egress_total", "Connections and requests to addresses outside of the mesh that policy decided about."],
  ["tulle_faults_injected_total", "Requests that were spoilt on purpose, by FaultInjection."],
  ["outbound_http_resilience_total", "What policies of resilience did, by event."],
  ["inbound_tcp_errors_total", "Connections that the proxy ended with an error."],
  ["outbound_tcp_errors_total", "Connections that the proxy ended with an error."],
  ["inbound_tcp_detect_http_results_total", "Outcomes of protocol detection."],
  ["outbound_tcp_detect_http_results_total", "Outcomes of protocol detection."],
  ["inbound_tcp_protocol_connections_total", "Connections by protocol."],
  ["outbound_tcp_protocol_connections_total", "Connections by protocol."],
  ["inbound_tcp_transport_header_total", "Headers of mesh connections, by outcome."],
  ["control_identity_cert_refreshes_total", "Renewals of the certificate, by outcome."],
  ["tulle_discovery_updates_total", "Updates from the controller, by outcome."],
  ["tulle_refusals_total", "Connections and streams ended because of what their client did or used up, by reason."],
  ["tulle_forced_closes_total", "Connections ended before they were done, by reason."],
  ["tulle_access_log_dropped_total", "Lines of the access log that were not written."],
  ["tulle_log_dropped_total", "Lines of the proxy's own log that were not written."],
];

const GAUGES: readonly (readonly [name: string, help: string])[] = [
  ["outbound_http_balancer_endpoints", "Endpoints of a balancer, by state."],
  ["outbound_http_balancer_queue_length", "Requests that wait until an endpoint can be reached."],
  ["outbound_http_balancer_concurrency_limit", "Requests that may be under way to all endpoints of a balancer."],
  ["control_identity_cert_expiration_timestamp_seconds", "Time at which the certificate expires."],
  ["control_identity_cert_refresh_timestamp_seconds", "Time of the last renewal of the certificate."],
  ["tulle_controller_connected", "1 while the stream to the controller is open."],
  ["tulle_trust_root", "1 for each root that is trusted now, by the start of its SHA-256."],
  ["tulle_certificate_root", "1 for the root that signed the certificate in force, by the start of its SHA-256."],
  ["proxy_build_info", "Version and commit of this proxy."],
];

function routeLabels({ parent, parentPort, route }: RouteName): Labels {
  return [
    ["parent_kind", parent.kind],
    ["parent_namespace", parent.namespace],
    ["parent_name", parent.name],
    ["parent_port", String(parentPort)],
    ["route_kind", route.kind],
    ["route_namespace", route.namespace],
    ["route_name", route.name],
  ];
}
