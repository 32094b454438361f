/** Labels of a proxy's metrics: typed at the caller, Linkerd's names on the page. All are optional but the first ones. */
import type { Labels } from "./labels.ts";

/** "true": mutual TLS. "no_identity": plaintext, from or to a peer without a sidecar. "loopback": the workload itself. */
export type TlsLabel = "true" | "no_identity" | "loopback";

/** A resource of policy that decided or matched. */
export interface ResourceLabels {
  readonly group?: string;
  readonly kind?: string;
  readonly namespace?: string;
  readonly name?: string;
}

/** What `request_total`, `response_total` and `response_latency_ms` are told apart by. */
export interface RequestLabels {
  readonly direction: "inbound" | "outbound";
  readonly tls: TlsLabel;
  /** Host of the target. Outbound only: inbound a client may write anything there. */
  readonly authority?: string;
  /** SPIFFE ID of the client; inbound. */
  readonly clientId?: string;
  /** SPIFFE ID of the server; outbound. */
  readonly serverId?: string;
  /** "ip:port" of the workload; inbound. */
  readonly targetAddr?: string;
  readonly dstNamespace?: string;
  readonly dstService?: string;
  readonly dstPort?: number;
  readonly route?: ResourceLabels;
  /** The Server whose policy holds; inbound. */
  readonly server?: ResourceLabels;
  readonly authz?: ResourceLabels;
}

/** What `tcp_*` is told apart by. */
export interface ConnectionLabels {
  readonly direction: "inbound" | "outbound";
  /** "src": the side that connected to us; "dst": the side that we connected to. */
  readonly peer: "src" | "dst";
  readonly tls: TlsLabel;
  readonly authority?: string;
  readonly clientId?: string;
  readonly serverId?: string;
  readonly targetAddr?: string;
  readonly dstNamespace?: string;
  readonly dstService?: string;
}

/** What the counters of policy are told apart by. */
export interface PolicyLabels {
  readonly tls: TlsLabel;
  readonly clientId?: string;
  readonly targetAddr?: string;
  readonly route?: ResourceLabels;
  readonly server?: ResourceLabels;
  readonly authz?: ResourceLabels;
}

/** @returns pairs in a fixed order */
export function requestLabels(labels: RequestLabels): Labels {
  return [
    ["direction", labels.direction],
    ["tls", labels.tls],
    ["authority", labels.authority ?? ""],
    ["client_id", labels.clientId ?? ""],
    ["server_id", labels.serverId ?? ""],
    ["target_addr", labels.targetAddr ?? ""],
    ["dst_namespace", labels.dstNamespace ?? ""],
    ["dst_service", labels.dstService ?? ""],
    ["dst_port", labels.dstPort === undefined ? "" : String(labels.dstPort)],
    ...resourceLabels("srv", labels.server),
    ...resourceLabels("route", labels.route),
    ...resourceLabels("authz", labels.authz),
  ];
}

/** @returns pairs in a fixed order */
export function connectionLabels(labels: ConnectionLabels): Labels {
  return [
    ["direction", labels.direction],
    ["peer", labels.peer],
    ["tls", labels.tls],
    ["authority", labels.authority ?? ""],
    ["client_id", labels.clientId ?? ""],
    ["server_id", labels.serverId ?? ""],
    ["target_addr", labels.targetAddr ?? ""],
    ["dst_namespace", labels.dstNamespace ?? ""],
    ["dst_service", labels.dstService ?? ""],
  ];
}

/** @returns pairs in a fixed order */
export function policyLabels(labels: PolicyLabels): Labels {
  return [
    ["tls", labels.tls],
    ["client_id", labels.clientId ?? ""],
    ["target_addr", labels.targetAddr ?? ""],
    ...resourceLabels("srv", labels.server),
    ...resourceLabels("route", labels.route),
    ...resourceLabels("authz", labels.authz),
  ];
}

/** @returns labels of an object; none without one */
export function resourceLabels(prefix: string, resource: ResourceLabels | undefined): Labels {
  if (resource === undefined) return [];
  return [
    [`${prefix}_group`, resource.group ?? ""],
    [`${prefix}_kind`, resource.kind ?? ""],
    [`${prefix}_namespace`, resource.namespace ?? ""],
    [`${prefix}_name`, resource.name ?? ""],
  ];
}
