/** Endpoints of each balancer by state, read when somebody looks. */
import type { Backend } from "../../model/outbound.ts";
import type { BalancerGauges, ProxyMetrics } from "../../telemetry/proxy_metrics.ts";
import type { Holds } from "../outbound/hold.ts";
import { backendLabels } from "./outbound_metrics.ts";
import type { TargetEntry } from "../outbound/outbound_targets.ts";
import type { Upstreams } from "../upstream/upstreams.ts";

export class BalancerMetrics {
  readonly #metrics: ProxyMetrics;
  readonly #upstreams: Upstreams;
  readonly #holds: Holds;
  readonly #gauges = new Map<string, BalancerGauges>();

  constructor(metrics: ProxyMetrics, upstreams: Upstreams, holds: Holds) {
    this.#metrics = metrics;
    this.#upstreams = upstreams;
    this.#holds = holds;
  }

  /** Sets the gauges of all backends of these targets, and closes those of backends that are gone. */
  collect(targets: Iterable<TargetEntry>): void {
    const seen = new Set<string>();
    for (const { current } of targets) {
      if (!current.target.known) continue;
      for (const backend of current.target.backends) this.#set(backend, seen);
    }
    for (const [key, gauges] of this.#gauges) {
      if (seen.has(key)) continue;
      gauges.close();
      this.#gauges.delete(key);
    }
  }

  #set(backend: Backend, seen: Set<string>): void {
    const labels = backendLabels(backend);
    const key = `${labels.namespace}/${labels.name}:${labels.port}`;
    seen.add(key);
    let gauges = this.#gauges.get(key);
    if (gauges === undefined) {
      gauges = this.#metrics.balancerEndpoints(labels);
      this.#gauges.set(key, gauges);
    }
    const states = this.#upstreams.balancer(backend)?.states ?? [];
    const out = states.filter((state) => state.breaker.isOpen || state.reachability.failure !== null).length;
    const limit = states.reduce((sum, { limiter }) => sum + (limiter?.limit ?? Infinity), 0);
    gauges.set(states.length - out, out, this.#holds.waiting(backend.key), states.length === 0 ? Infinity : limit);
  }
}
