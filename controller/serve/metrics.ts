/** Metrics of the serving side. */
import type { Counter, Gauge, Histogram, Registry } from "../core/metrics.ts";

export interface ServeMetrics {
  readonly streams: Gauge;
  readonly streamsRefused: Counter;
  readonly responses: Counter;
  readonly acks: Counter;
  readonly nacks: Counter;
  readonly pushSeconds: Histogram;
  readonly certify: Counter;
  readonly trustStreams: Gauge;
}

/** Registers the metrics; once per registry. */
export function serveMetrics(registry: Registry): ServeMetrics {
  return {
    streams: registry.gauge("discovery_streams", "Proxies with an open discovery stream."),
    streamsRefused: registry.counter(
      "discovery_streams_refused_total",
      "Discovery streams ended with an error, by code.",
    ),
    responses: registry.counter("discovery_responses_total", "Snapshots sent, by kind."),
    acks: registry.counter("discovery_acks_total", "Snapshots that proxies put in force."),
    nacks: registry.counter("discovery_nacks_total", "Snapshots that proxies refused."),
    pushSeconds: registry.histogram(
      "discovery_push_latency_seconds",
      "Time from a change of the configuration to its snapshot being handed to the connection.",
    ),
    certify: registry.counter("identity_certify_total", "Certificate requests, by result."),
    trustStreams: registry.gauge("identity_trust_streams", "Proxies that watch the trust bundle."),
  };
}
