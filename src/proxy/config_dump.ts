/** What /config shows: what this proxy runs now, and why. Never a key or a token. */
import type { ProxyConfig } from "../config/proxy_config.ts";
import type { Discovery } from "../discovery/discovery.ts";
import type { IdentityStore } from "../identity/store.ts";
import { VERSION } from "../base/version.ts";
import type { Proxy } from "./proxy.ts";

/** A value for JSON. Maps are shown by the admin server as objects. */
export function configDump(config: ProxyConfig, proxy: Proxy, identity: IdentityStore, discovery: Discovery): unknown {
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
  const { keyPem: _, ...certificate } = identity.current() ?? { keyPem: "" };
  return {
    version: VERSION,
    workload: `${config.workloadNamespace}/${config.workloadName}`,
    settings: config,
    draining: proxy.isDraining,
    connections: proxy.live.size,
    identity: { ...identity.report(), certificate },
    discovery: discovery.dump(),
    endpoints,
  };
}
