/** What is captured in a workload's network namespace, and the fixed addresses and ports of it. */

/** Ports of the proxy; why there are four stands in src/README.md. */
export const OUTBOUND_PORT = 4140;
export const MESH_PORT = 4143;
export const INBOUND_PORT = 4145;
export const ADMIN_PORT = 4191;

/** Questions to nameservers, where names are pinned. */
export const DNS_PORT = 4153;

/** The proxy's user where users can be told apart; no other process of a workload may run as it. */
export const PROXY_UID = 2102;

/** The socket mark (SO_MARK) of the proxy's own connections where they cannot: one mapped user in a user namespace. */
export const PROXY_MARK = 0x2102;

/**
 * Destinations that are redirected even for the proxy itself, so that it can prove at its start that capture works: it
 * dials one and must meet itself on the outbound port with this original destination. Both are reserved for
 * documentation (RFC 5737, RFC 3849), so nothing real is hidden.
 */
export const SELF_TEST_IPV4 = "203.0.113.210";
export const SELF_TEST_IPV6 = "2001:db8::2102";
export const SELF_TEST_PORT = 4140;

/** Ports from first to last, both included. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
}

export interface CapturePlan {
  /** The proxy's outbound listener (127.0.0.1 and ::1); null leaves outbound connections alone. */
  readonly outboundPort: number | null;
  /** The proxy's inbound listener; null leaves inbound connections alone. */
  readonly inboundPort: number | null;
  /** The proxy's listener for DNS (127.0.0.1 and ::1, UDP and TCP); null leaves DNS alone. */
  readonly dnsPort: number | null;
  /** Connections of this user leave as they are. */
  readonly proxyUid: number | null;
  /** Connections with this socket mark leave as they are. */
  readonly proxyMark: number | null;
  /** Outbound connections to these ports leave as they are. */
  readonly skipOutboundPorts: readonly PortRange[];
  /** Outbound connections to these blocks ("10.0.0.0/8", "fd00::/8") leave as they are. */
  readonly skipOutboundBlocks: readonly string[];
  /** Inbound connections to these ports go straight to the workload. */
  readonly skipInboundPorts: readonly PortRange[];
}

/** Everything captured, the proxy known by its user. */
export const DEFAULT_PLAN: CapturePlan = {
  outboundPort: OUTBOUND_PORT,
  inboundPort: INBOUND_PORT,
  dnsPort: null,
  proxyUid: PROXY_UID,
  proxyMark: null,
  skipOutboundPorts: [],
  skipOutboundBlocks: [],
  skipInboundPorts: [],
};
