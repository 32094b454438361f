/**
 * Envoy: TLS hop; pair with mutual TLS between; TCP proxy for opaque bytes. Its best case: connection manager
 * and router alone, no telemetry, no access log.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { startServer } from "../../support/process.ts";
import { coresOf, type Rig, SERVER_NAME, type Subject, type Variant } from "../rig.ts";
import {
  HTTP_PROTOCOLS,
  type HttpProtocol,
  LOOPBACK,
  portsOf,
  READY_POLL_MS,
  type Side,
  startAll,
  subjectOf,
  targetsOf,
} from "./_processes.ts";

type Json = Readonly<Record<string, unknown>>;

/** Far above any load here: Envoy's circuit breakers are not what is measured. */
const NO_LIMIT = 1_000_000;
/** Time to start: it is the slowest of all. */
const START_MS = 30_000;
const TYPE = "type.googleapis.com/envoy.extensions";
const V3_ONLY = { tls_minimum_protocol_version: "TLSv1_3", tls_maximum_protocol_version: "TLSv1_3" };

export async function envoyHop(program: string, rig: Rig, variant: Variant): Promise<Subject> {
  const ports = await portsOf(HTTP_PROTOCOLS);
  const config = bootstrap(HTTP_PROTOCOLS.map((protocol) => [
    http(protocol, ports[protocol], serverTls(rig, protocol === "h1" ? "http/1.1" : "h2", false)),
    cluster(protocol, rig.backendHost, rig.backends[protocol], protocol !== "h1"),
  ]));
  const sides = await startAll([
    () => start(program, rig, variant, { name: "hop", config, side: "a", port: ports.h1 }),
  ]);
  return subjectOf(variant.proxy, "hop", targetsOf(ports, true), sides);
}

/** Requests of HTTP/1.1 travel as HTTP/2 between the two; in the variant with HTTP/1.1 there, as they came. */
export async function envoyPair(program: string, rig: Rig, variant: Variant): Promise<Subject> {
  const a = await portsOf([...HTTP_PROTOCOLS, "opaque"]);
  const b = await portsOf([...HTTP_PROTOCOLS, "opaque"]);
  const { backendHost: host, backends } = rig;
  const overH2 = (protocol: HttpProtocol) => protocol !== "h1" || variant.between === "h2";
  const alpn = (protocol: HttpProtocol) => overH2(protocol) ? "h2" : "http/1.1";
  const clientSide = (protocol: HttpProtocol, port: number): [Json, Json] => [
    http(protocol, port, null),
    cluster(protocol, LOOPBACK, b[protocol], overH2(protocol), clientTls(rig, alpn(protocol))),
  ];
  const serverSide = (protocol: HttpProtocol): [Json, Json] => [
    http(protocol, b[protocol], serverTls(rig, alpn(protocol), true)),
    cluster(protocol, host, backends[protocol], protocol !== "h1"),
  ];
  const configA = bootstrap([
    ...HTTP_PROTOCOLS.map((protocol) => clientSide(protocol, a[protocol])),
    [tcp("tcp", a.opaque, null), cluster("tcp", LOOPBACK, b.opaque, false, clientTls(rig, null))],
  ]);
  const configB = bootstrap([
    ...HTTP_PROTOCOLS.map(serverSide),
    [tcp("tcp", b.opaque, serverTls(rig, null, true)), cluster("tcp", host, backends.opaque, false)],
  ]);
  const launch = (name: string, config: Json, side: "a" | "b", port: number) => () =>
    start(program, rig, variant, { name, config, side, port });
  const sides = await startAll([launch("b", configB, "b", b.h1), launch("a", configA, "a", a.h1)]);
  const another = (port: number) => launch("another", bootstrap([clientSide("h1", port)]), "a", port)();
  return subjectOf(variant.proxy, "pair", targetsOf(a, false), sides, another);
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

interface Process {
  readonly name: string;
  readonly config: Json;
  readonly side: "a" | "b";
  /** One that it listens on. */
  readonly port: number;
}

async function start(program: string, rig: Rig, variant: Variant, process: Process): Promise<Side> {
  const name = `${variant.proxy}-${process.name}`;
  const file = join(rig.dir, `${name}.json`);
  writeFileSync(file, JSON.stringify(process.config, null, 1));
  const child = await startServer({
    argv: [
      program,
      "-c",
      file,
      "--concurrency",
      String(variant.threads),
      "--disable-hot-restart",
      "--log-level",
      "error",
    ],
    name,
    core: coresOf(variant),
    port: process.port,
    timeoutMs: START_MS,
    pollMs: READY_POLL_MS,
  });
  return { child, side: process.side, protocols: ["h1", "h2", "grpc", "opaque"] };
}
