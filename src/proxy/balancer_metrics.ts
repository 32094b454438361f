/** Endpoints of each balancer by state, read when somebody looks. */
import type { Backend } from "../model/outbound.ts";
import type { BalancerGauges, ProxyMetrics } from "../telemetry/proxy_metrics.ts";
import type { TargetEntry } from "./outbound_targets.ts";
import type { Upstreams } from "./upstream/upstreams.ts";

export class BalancerMetrics {
  readonly #metrics: ProxyMetrics;
  readonly #upstreams: Upstreams;
  readonly #gauges = new Map<string, BalancerGauges>();

  constructor(metrics: ProxyMetrics, upstreams: Upstreams) {
    this.#metrics = metrics;
    this.#upstreams = upstreams;
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
    const { namespace, name } = backend.ref;
    const key = `${namespace}/${name}:${backend.port}`;
    seen.add(key);
    let gauges = this.#gauges.get(key);
    if (gauges === undefined) {
      gauges = this.#metrics.balancerEndpoints({ namespace, name, port: backend.port });
      this.#gauges.set(key, gauges);
    }
    const states = this.#upstreams.balancer(backend)?.states ?? [];
    const open = states.filter((state) => state.breaker.isOpen).length;
    gauges.set(states.length - open, open);
  }
}
