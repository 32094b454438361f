/** nginx, one process: TLS hop; pair with mutual TLS between (HTTP/2 upstream by grpc_pass, its only way); stream module. */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
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

const STREAM_MODULE = "/usr/lib/nginx/modules/ngx_stream_module.so";
const KEEP = "keepalive 512; keepalive_requests 1000000000; keepalive_timeout 1h;";
const PLAIN = 'proxy_http_version 1.1; proxy_set_header Connection "";';

export async function nginxHop(program: string, rig: Rig, variant: Variant): Promise<Subject> {
  const ports = await portsOf(HTTP_PROTOCOLS);
  const { certificate, key } = rig.files;
  const tls = `ssl_certificate ${certificate}; ssl_certificate_key ${key}; ssl_protocols TLSv1.3;`;
  const { backendHost: host, backends } = rig;
  const servers = HTTP_PROTOCOLS.map((protocol) => {
    const [http2, pass] = protocol === "h1"
      ? ["", `proxy_pass http://h1; ${PLAIN}`]
      : [" http2", `grpc_pass grpc://${protocol};`];
    return `
  upstream ${protocol} { server ${host}:${backends[protocol]}; ${KEEP} }
  server { listen ${LOOPBACK}:${ports[protocol]} ssl${http2} backlog=4096; ${tls} location / { ${pass} } }`;
  });
  const config = http(servers.join(""));
  const sides = await startAll([
    () => start(program, rig, variant, { name: "hop", side: "a", config, port: ports.h1 }),
  ]);
  return subjectOf(variant.proxy, "hop", targetsOf(ports, true), sides);
}

export async function nginxPair(program: string, rig: Rig, variant: Variant): Promise<Subject> {
  const a = await portsOf([...HTTP_PROTOCOLS, "opaque"]);
  const b = await portsOf([...HTTP_PROTOCOLS, "opaque"]);
  const { certificate, key, ca } = rig.files;
  const hasStream = existsSync(STREAM_MODULE);
  const verify = `ssl_certificate ${certificate}; ssl_certificate_key ${key}; ssl_protocols TLSv1.3;
    ssl_client_certificate ${ca}; ssl_verify_client on;`;
  const client = (module: "proxy" | "grpc") =>
    `${module}_ssl_certificate ${certificate}; ${module}_ssl_certificate_key ${key}; ${module}_ssl_protocols TLSv1.3;
    ${module}_ssl_trusted_certificate ${ca}; ${module}_ssl_verify on; ${module}_ssl_name ${SERVER_NAME}; ${module}_ssl_server_name on;`;
  const { backendHost: host, backends } = rig;
  const clientSide = (protocol: HttpProtocol, port: number) =>
    protocol === "h1"
      ? `
  upstream h1 { server ${LOOPBACK}:${b.h1}; ${KEEP} }
  server { listen ${LOOPBACK}:${port} backlog=4096; location / { proxy_pass https://h1; ${PLAIN} ${client("proxy")} } }`
      : `
  upstream ${protocol} { server ${LOOPBACK}:${b[protocol]}; ${KEEP} }
  server { listen ${LOOPBACK}:${port} http2 backlog=4096; location / { grpc_pass grpcs://${protocol}; ${
        client("grpc")
      } } }`;
  const serverSide = (protocol: HttpProtocol) => {
    const [http2, pass] = protocol === "h1"
      ? ["", `proxy_pass http://h1; ${PLAIN}`]
      : [" http2", `grpc_pass grpc://${protocol};`];
    return `
  upstream ${protocol} { server ${host}:${backends[protocol]}; ${KEEP} }
  server { listen ${LOOPBACK}:${b[protocol]} ssl${http2} backlog=4096; ${verify} location / { ${pass} } }`;
  };
  const configA = http(HTTP_PROTOCOLS.map((each) => clientSide(each, a[each])).join("")) +
    stream(
      hasStream,
      `listen ${LOOPBACK}:${a.opaque}; proxy_pass ${LOOPBACK}:${b.opaque}; proxy_ssl on; ${client("proxy")}`,
    );
  const configB = http(HTTP_PROTOCOLS.map(serverSide).join("")) +
    stream(hasStream, `listen ${LOOPBACK}:${b.opaque} ssl; ${verify} proxy_pass ${host}:${backends.opaque};`);
  const launch = (name: string, side: "a" | "b", config: string, port: number) => () =>
    start(program, rig, variant, { name, side, config, port });
  const sides = await startAll([launch("b", "b", configB, b.h1), launch("a", "a", configA, a.h1)]);
  const { opaque, ...rest } = targetsOf(a, false);
  const targets = hasStream && opaque !== undefined ? { ...rest, opaque } : rest;
  const another = (port: number) => launch("another", "a", http(clientSide("h1", port)), port)();
  return subjectOf(variant.proxy, "pair", targets, sides, another);
}

function http(servers: string): string {
  return `http {
  access_log off; tcp_nodelay on; keepalive_timeout 3600; keepalive_requests 1000000000; proxy_request_buffering off;
  http2_max_requests 1000000000; ssl_session_cache off; client_body_temp_path TMP/1; proxy_temp_path TMP/2;
  fastcgi_temp_path TMP/3; uwsgi_temp_path TMP/4; scgi_temp_path TMP/5;
  ${servers}
}
`;
}

function stream(present: boolean, server: string): string {
  return present ? `stream { proxy_buffer_size 64k; tcp_nodelay on; server { ${server} } }\n` : "";
}

interface Process {
  readonly name: string;
  readonly side: "a" | "b";
  readonly config: string;
  /** One that it listens on. */
  readonly port: number;
}

async function start(program: string, rig: Rig, variant: Variant, process: Process): Promise<Side> {
  const { name, side, config, port } = process;
  const dir = join(rig.dir, `${variant.proxy}-${name}`);
  mkdirSync(dir, { recursive: true });
  const file = join(dir, "nginx.conf");
  const load = config.includes("stream {") ? `load_module ${STREAM_MODULE};\n` : "";
  const head = `daemon off; master_process off; pid TMP/pid; error_log TMP/error.log error;
events { worker_connections 16384; }
`;
  writeFileSync(file, (load + head + config).replaceAll("TMP", dir));
  const argv = [program, "-c", file, "-p", dir, "-e", `${dir}/error.log`];
  const label = `${variant.proxy} ${name}`;
  const child = await startServer({ argv, name: label, core: coresOf(variant), port, pollMs: READY_POLL_MS });
  return { child, side, protocols: ["h1", "h2", "grpc", "opaque"] };
}
