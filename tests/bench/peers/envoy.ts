/**
 * Envoy, one worker: TLS hop; pair with mutual TLS between; TCP proxy for opaque bytes. Its best case: connection manager
 * and router alone, no telemetry, no access log.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePorts } from "../../support/ports.ts";
import { startServer } from "../../support/process.ts";
import type { Protocol } from "../cases.ts";
import { PROXY_CORE, type Rig, SERVER_NAME, type Subject } from "../rig.ts";
import { type Side, startAll, subjectOf } from "./_processes.ts";

type Json = Readonly<Record<string, unknown>>;

const LOOPBACK = "127.0.0.1";
/** Far above any load here: Envoy's circuit breakers are not what is measured. */
const NO_LIMIT = 1_000_000;
/** Time to start: it is the slowest of all. */
const START_MS = 30_000;
const TYPE = "type.googleapis.com/envoy.extensions";
const V3_ONLY = { tls_minimum_protocol_version: "TLSv1_3", tls_maximum_protocol_version: "TLSv1_3" };

export async function envoyHop(program: string, rig: Rig): Promise<Subject> {
  const [h1 = 0, h2 = 0] = await freePorts(2);
  const { backendHost: host, backends } = rig;
  const config = bootstrap([
    [http("h1", h1, serverTls(rig, "http/1.1", false)), cluster("h1", host, backends.h1, false)],
    [http("h2", h2, serverTls(rig, "h2", false)), cluster("h2", host, backends.h2, true)],
  ]);
  const sides = await startAll([() => start(program, rig, "envoy-hop", config, "a", ["h1", "h2"], h1)]);
  const target = (port: number) => ({ host: LOOPBACK, port, tls: true });
  return subjectOf("envoy", "hop", { h1: target(h1), h2: target(h2) }, sides);
}

/** Requests of HTTP/1.1 travel as HTTP/2 between the two. */
export function envoyPair(program: string, rig: Rig): Promise<Subject> {
  return startPair(program, rig, "envoy", true);
}

/** The same with HTTP/1.1 between the two. */
export function envoyH1Pair(program: string, rig: Rig): Promise<Subject> {
  return startPair(program, rig, "envoy-h1", false);
}

async function startPair(program: string, rig: Rig, proxy: string, upgrade: boolean): Promise<Subject> {
  const [a1 = 0, a2 = 0, a3 = 0, b1 = 0, b2 = 0, b3 = 0] = await freePorts(6);
  const { backendHost: host, backends } = rig;
  const between = upgrade ? "h2" : "http/1.1";
  const a = bootstrap([
    [http("h1", a1, null), cluster("h1", LOOPBACK, b1, upgrade, clientTls(rig, between))],
    [http("h2", a2, null), cluster("h2", LOOPBACK, b2, true, clientTls(rig, "h2"))],
    [tcp("tcp", a3, null), cluster("tcp", LOOPBACK, b3, false, clientTls(rig, null))],
  ]);
  const b = bootstrap([
    [http("h1", b1, serverTls(rig, between, true)), cluster("h1", host, backends.h1, false)],
    [http("h2", b2, serverTls(rig, "h2", true)), cluster("h2", host, backends.h2, true)],
    [tcp("tcp", b3, serverTls(rig, null, true)), cluster("tcp", host, backends.opaque, false)],
  ]);
  const all = ["h1", "h2", "opaque"] as const;
  const sides = await startAll([
    () => start(program, rig, `${proxy}-b`, b, "b", all, b1),
    () => start(program, rig, `${proxy}-a`, a, "a", all, a1),
  ]);
  const target = (port: number) => ({ host: LOOPBACK, port, tls: false });
  return subjectOf(proxy, "pair", { h1: target(a1), h2: target(a2), opaque: target(a3) }, sides);
}

function bootstrap(routes: readonly (readonly [Json, Json])[]): Json {
  return {
    static_resources: { listeners: routes.map(([listener]) => listener), clusters: routes.map(([, to]) => to) },
    // Without this Envoy allows as many downstream connections as there are, and warns.
    overload_manager: {
      resource_monitors: [{
        name: "envoy.resource_monitors.global_downstream_max_connections",
        typed_config: {
          "@type": `${TYPE}.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig`,
          max_active_downstream_connections: NO_LIMIT,
        },
      }],
    },
  };
}

function http(name: string, port: number, transport: Json | null): Json {
  return listener(name, port, transport, {
    name: "envoy.filters.network.http_connection_manager",
    typed_config: {
      "@type": `${TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
      stat_prefix: name,
      codec_type: "AUTO",
      generate_request_id: false,
      route_config: {
        virtual_hosts: [{
          name,
          domains: ["*"],
          routes: [{ match: { prefix: "/" }, route: { cluster: name, timeout: "0s" } }],
        }],
      },
      http_filters: [{
        name: "envoy.filters.http.router",
        typed_config: { "@type": `${TYPE}.filters.http.router.v3.Router`, suppress_envoy_headers: true },
      }],
    },
  });
}

function tcp(name: string, port: number, transport: Json | null): Json {
  return listener(name, port, transport, {
    name: "envoy.filters.network.tcp_proxy",
    typed_config: {
      "@type": `${TYPE}.filters.network.tcp_proxy.v3.TcpProxy`,
      stat_prefix: name,
      cluster: name,
      idle_timeout: "0s",
    },
  });
}

function listener(name: string, port: number, transport: Json | null, filter: Json): Json {
  return {
    name,
    address: { socket_address: { address: LOOPBACK, port_value: port } },
    tcp_backlog_size: 4096,
    filter_chains: [{ filters: [filter], ...(transport === null ? {} : { transport_socket: transport }) }],
  };
}

function cluster(name: string, host: string, port: number, isHttp2: boolean, transport: Json | null = null): Json {
  const protocol = isHttp2 ? { http2_protocol_options: {} } : { http_protocol_options: {} };
  const options = { explicit_http_config: protocol, common_http_protocol_options: { idle_timeout: "0s" } };
  const limits = ["max_connections", "max_pending_requests", "max_requests", "max_retries"];
  return {
    name,
    type: "STATIC",
    connect_timeout: "5s",
    circuit_breakers: { thresholds: [Object.fromEntries(limits.map((limit) => [limit, NO_LIMIT]))] },
    load_assignment: {
      cluster_name: name,
      endpoints: [{
        lb_endpoints: [{ endpoint: { address: { socket_address: { address: host, port_value: port } } } }],
      }],
    },
    typed_extension_protocol_options: {
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": `${TYPE}.upstreams.http.v3.HttpProtocolOptions`,
        ...options,
      },
    },
    ...(transport === null ? {} : { transport_socket: transport }),
  };
}

function serverTls(rig: Rig, alpn: string | null, isMutual: boolean): Json {
  return tlsSocket("DownstreamTlsContext", {
    require_client_certificate: isMutual,
    common_tls_context: tlsContext(rig, alpn, isMutual, null),
  });
}

function clientTls(rig: Rig, alpn: string | null): Json {
  return tlsSocket("UpstreamTlsContext", {
    sni: SERVER_NAME,
    max_session_keys: 0, // no resumption: each connection proves who it is
    common_tls_context: tlsContext(rig, alpn, true, SERVER_NAME),
  });
}

function tlsSocket(kind: string, context: Json): Json {
  return {
    name: "envoy.transport_sockets.tls",
    typed_config: { "@type": `${TYPE}.transport_sockets.tls.v3.${kind}`, ...context },
  };
}

function tlsContext(rig: Rig, alpn: string | null, verifies: boolean, name: string | null): Json {
  const { ca, certificate, key } = rig.files;
  const names = name === null ? {} : { match_typed_subject_alt_names: [{ san_type: "DNS", matcher: { exact: name } }] };
  return {
    tls_params: V3_ONLY, // a client's maximum would be TLS 1.2 otherwise
    tls_certificates: [{ certificate_chain: { filename: certificate }, private_key: { filename: key } }],
    ...(alpn === null ? {} : { alpn_protocols: [alpn] }),
    ...(verifies ? { validation_context: { trusted_ca: { filename: ca }, ...names } } : {}),
  };
}

async function start(
  program: string,
  rig: Rig,
  name: string,
  config: Json,
  side: "a" | "b",
  protocols: readonly Protocol[],
  port: number,
): Promise<Side> {
  const file = join(rig.dir, `${name}.json`);
  writeFileSync(file, JSON.stringify(config, null, 1));
  const child = await startServer({
    argv: [program, "-c", file, "--concurrency", "1", "--disable-hot-restart", "--log-level", "error"],
    name,
    core: PROXY_CORE,
    port,
    timeoutMs: START_MS,
  });
  return { child, side, protocols };
}
