/** nginx, one process: TLS hop; pair with mutual TLS between (HTTP/2 upstream by grpc_pass, its only way); stream module. */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePorts } from "../../support/ports.ts";
import { startServer } from "../../support/process.ts";
import { PROXY_CORE, type Rig, SERVER_NAME, type Subject } from "../rig.ts";
import { type Side, startAll, subjectOf } from "./_processes.ts";

const LOOPBACK = "127.0.0.1";
const STREAM_MODULE = "/usr/lib/nginx/modules/ngx_stream_module.so";
const KEEP = "keepalive 512; keepalive_requests 1000000000; keepalive_timeout 1h;";

export async function nginxHop(program: string, rig: Rig): Promise<Subject> {
  const [h1 = 0, h2 = 0] = await freePorts(2);
  const { certificate, key } = rig.files;
  const tls = `ssl_certificate ${certificate}; ssl_certificate_key ${key}; ssl_protocols TLSv1.3;`;
  const { backendHost: host, backends } = rig;
  const config = http(`
  upstream b1 { server ${host}:${backends.h1}; ${KEEP} }
  upstream b2 { server ${host}:${backends.h2}; ${KEEP} }
  server { listen ${LOOPBACK}:${h1} ssl backlog=4096; ${tls}
    location / { proxy_pass http://b1; proxy_http_version 1.1; proxy_set_header Connection ""; } }
  server { listen ${LOOPBACK}:${h2} ssl http2 backlog=4096; ${tls} location / { grpc_pass grpc://b2; } }`);
  const sides = await startAll([() => start(program, rig, "hop", "a", config, h1, false)]);
  const target = (port: number) => ({ host: LOOPBACK, port, tls: true });
  return subjectOf("nginx", "hop", { h1: target(h1), h2: target(h2) }, sides);
}

export async function nginxPair(program: string, rig: Rig): Promise<Subject> {
  const [a1 = 0, a2 = 0, a3 = 0, b1 = 0, b2 = 0, b3 = 0] = await freePorts(6);
  const { certificate, key, ca } = rig.files;
  const hasStream = existsSync(STREAM_MODULE);
  const verify = `ssl_certificate ${certificate}; ssl_certificate_key ${key}; ssl_protocols TLSv1.3;
    ssl_client_certificate ${ca}; ssl_verify_client on;`;
  const client = (module: "proxy" | "grpc") =>
    `${module}_ssl_certificate ${certificate}; ${module}_ssl_certificate_key ${key}; ${module}_ssl_protocols TLSv1.3;
    ${module}_ssl_trusted_certificate ${ca}; ${module}_ssl_verify on; ${module}_ssl_name ${SERVER_NAME}; ${module}_ssl_server_name on;`;
  const { backendHost: host, backends } = rig;
  const a = http(`
  upstream b1 { server ${LOOPBACK}:${b1}; ${KEEP} }
  upstream b2 { server ${LOOPBACK}:${b2}; ${KEEP} }
  server { listen ${LOOPBACK}:${a1} backlog=4096;
    location / { proxy_pass https://b1; proxy_http_version 1.1; proxy_set_header Connection ""; ${client("proxy")} } }
  server { listen ${LOOPBACK}:${a2} http2 backlog=4096; location / { grpc_pass grpcs://b2; ${client("grpc")} } }`) +
    stream(hasStream, `listen ${LOOPBACK}:${a3}; proxy_pass ${LOOPBACK}:${b3}; proxy_ssl on; ${client("proxy")}`);
  const b = http(`
  upstream b1 { server ${host}:${backends.h1}; ${KEEP} }
  upstream b2 { server ${host}:${backends.h2}; ${KEEP} }
  server { listen ${LOOPBACK}:${b1} ssl backlog=4096; ${verify}
    location / { proxy_pass http://b1; proxy_http_version 1.1; proxy_set_header Connection ""; } }
  server { listen ${LOOPBACK}:${b2} ssl http2 backlog=4096; ${verify} location / { grpc_pass grpc://b2; } }`) +
    stream(hasStream, `listen ${LOOPBACK}:${b3} ssl; ${verify} proxy_pass ${host}:${backends.opaque};`);
  const sides = await startAll([
    () => start(program, rig, "b", "b", b, b1, hasStream),
    () => start(program, rig, "a", "a", a, a1, hasStream),
  ]);
  const target = (port: number) => ({ host: LOOPBACK, port, tls: false });
  const opaque = hasStream ? { opaque: target(a3) } : {};
  return subjectOf("nginx", "pair", { h1: target(a1), h2: target(a2), ...opaque }, sides);
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

async function start(
  program: string,
  rig: Rig,
  name: string,
  side: "a" | "b",
  config: string,
  port: number,
  hasStream: boolean,
): Promise<Side> {
  const dir = join(rig.dir, `nginx-${name}`);
  mkdirSync(dir, { recursive: true });
  const file = join(dir, "nginx.conf");
  const load = hasStream ? `load_module ${STREAM_MODULE};\n` : "";
  const head = `daemon off; master_process off; pid TMP/pid; error_log TMP/error.log error;
events { worker_connections 16384; }
`;
  writeFileSync(file, (load + head + config).replaceAll("TMP", dir));
  const argv = [program, "-c", file, "-p", dir, "-e", `${dir}/error.log`];
  const child = await startServer({ argv, name: `nginx ${name}`, core: PROXY_CORE, port });
  return { child, side, protocols: ["h1", "h2", "opaque"] };
}
