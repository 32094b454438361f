/** What a thread's data path is doing, for /config; of several threads, together. */
import type { FlowReport, FlowTable } from "./observe/flows.ts";
import type { Proxy } from "./proxy.ts";

/** An endpoint as the balancer sees it. */
export interface EndpointReport {
  readonly address: string;
  readonly workload: string;
  readonly identity: string;
  readonly meshed: boolean;
  readonly pending: number;
  readonly connections: number;
  readonly latencyMs: number;
  readonly breakerOpen: boolean;
}

export interface PathReport {
  readonly connections: number;
  readonly endpoints: readonly EndpointReport[];
  readonly flows: FlowReport;
}

/** Looks at a data path. */
export function reportPath(proxy: Proxy, flows: FlowTable): PathReport {
  const now = performance.now();
  const endpoints = [...proxy.upstreams.all()].map((state) => ({
    address: state.endpoint.key,
    workload: state.endpoint.workload,
    identity: state.endpoint.identity,
    meshed: state.meshed,
    pending: state.pending,
    connections: state.connections,
    latencyMs: Math.round(state.ewma.value(now) * 1000) / 1000,
    breakerOpen: state.breaker.isOpen,
  }));
  return { connections: proxy.live.size, endpoints, flows: flows.report(now, Date.now()) };
}
