/**
 * Probes through a sidecar. An HTTP or gRPC probe passes it and is let in by its path. A TCP probe would always succeed, since
 * the sidecar accepts before the application does, and the request of an HTTPS probe cannot be seen: these two are asked of the
 * sidecar, which asks the application.
 */
import { ADMIN_PORT } from "../core/sidecar_ports.ts";
import type { Container, Json } from "./pod.ts";

/** What the sidecar asks on behalf of the kubelet: `tcp:8080`, `https:8443/healthz`. */
export type ProxiedProbe = string;

export interface RewrittenProbes {
  readonly container: Container;
  /** By their position, which is their path: /probe/0, /probe/1 … */
  readonly probes: readonly ProxiedProbe[];
}

const KINDS = ["startupProbe", "readinessProbe", "livenessProbe"] as const;

/**
 * Points a container's TCP and HTTPS probes at the sidecar.
 * @param before probes of the containers before it; the result goes on from them
 */
export function rewriteProbes(container: Container, before: readonly ProxiedProbe[]): RewrittenProbes {
  const probes = [...before];
  let rewritten: Container = container;
  for (const kind of KINDS) {
    const probe = container[kind];
    const asked = probe === undefined ? null : proxied(probe, container);
    if (probe === undefined || asked === null) continue;
    let index = probes.indexOf(asked);
    if (index < 0) index = probes.push(asked) - 1;
    const { tcpSocket: _tcp, httpGet: _http, ...rest } = probe;
    rewritten = { ...rewritten, [kind]: { ...rest, httpGet: { path: `/probe/${index}`, port: ADMIN_PORT } } };
  }
  return { container: rewritten, probes };
}

function proxied(probe: Json, container: Container): ProxiedProbe | null {
  const tcp = probe["tcpSocket"] as Json | undefined; // the API's form
  if (tcp !== undefined) {
    const port = portOf(tcp["port"], container);
    // A host is another machine's matter.
    return port === null || tcp["host"] !== undefined ? null : `tcp:${port}`;
  }
  const http = probe["httpGet"] as Json | undefined; // the API's form
  if (http === undefined || http["scheme"] !== "HTTPS" || http["host"] !== undefined) return null;
  const port = portOf(http["port"], container);
  const path = typeof http["path"] === "string" && http["path"].startsWith("/") ? http["path"] : "/";
  return port === null || /[\s,]/.test(path) ? null : `https:${port}${path}`;
}

function portOf(port: unknown, container: Container): number | null {
  if (typeof port === "number") return port;
  if (typeof port === "string" && /^\d+$/.test(port)) return Number(port);
  return container.ports?.find(({ name }) => name === port)?.containerPort ?? null;
}
