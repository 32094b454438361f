/** The ways to the application: through the mesh, past the client's sidecar, and through other proxies to compare with. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Mesh, startMesh } from "../../support/mesh.ts";
import { freePorts } from "../../support/ports.ts";
import { findProgram, run, startServer } from "../../support/process.ts";
import { service, spiffeId, workload } from "../../support/resources.ts";
import { Recorder } from "./recorder.ts";
import type { Route } from "./sender.ts";

/** Variants under way at a time, each with a port of its own, so that every byte at the application has one origin. */
export const LANES = 16;
const FIRST_PORT = 8080;
const INBOUND_PORT = 4145;
const MESH_PORT = 4143;

export interface Lane {
  readonly route: Route;
  readonly peer?: MeshPeer;
  readonly recorder: Recorder;
}

/** What an HTTP/2 client says before its preface, on a connection to a sidecar's mesh port. */
export interface MeshPeer {
  readonly tls: { readonly cert: string; readonly key: string };
  readonly port: number;
}

export interface Path {
  readonly name: string;
  readonly lanes: readonly Lane[];
}

/** A mesh with one application. */
export interface MeshBed {
  readonly mesh: Mesh;
  readonly recorders: readonly Recorder[];
  readonly meshed: Path;
  /** Null where connections cannot be redirected. */
  readonly unmeshed: Path | null;
  /** A peer with a certificate of the mesh that need not be a sidecar, on the mesh port of the application's sidecar. */
  readonly meshPort: Path;
}

const LANE_NUMBERS = Array.from({ length: LANES }, (_, lane) => lane);

/** @param canRedirect this process may write nftables rules: it is in a network namespace of its own */
export async function startMeshBed(stack: AsyncDisposableStack, canRedirect: boolean): Promise<MeshBed> {
  const ports = LANE_NUMBERS.map((lane) => FIRST_PORT + lane);
  const mesh = stack.use(
    await startMesh({
      workloads: [
        workload("front", { calls: ports.map((port, lane) => `web${lane}:${port}`) }),
        workload("web", {
          ports: ports.map((port) => ({ name: `p${port}`, port, appProtocol: "http" })),
          annotations: { "tulle.dev/default-inbound-policy": "all-unauthenticated" },
        }),
      ],
      services: ports.map((port, lane) => service(`web${lane}`, port, "http", { app: "web" })),
      env: { TULLE_ACCESS_LOG: "json" },
    }),
  );
  const host = mesh.ip("web");
  const recorders = ports.map((port) => stack.use(new Recorder(host, port)));
  const lanes = (routeOf: (lane: number) => Route) =>
    recorders.map((recorder, lane) => ({ recorder, route: routeOf(lane) }));
  const client = `${mesh.subnet}.200`;
  const unmeshed = canRedirect && await redirect(client, host)
    ? { name: "unmeshed", lanes: lanes((lane) => ({ host, port: FIRST_PORT + lane, from: client })) }
    : null;
  const leaf = await (await mesh.ca()).issue({ uris: [spiffeId("front")], dnsNames: ["mesh.tulle.dev"] });
  const meshPort = {
    name: "mesh port",
    lanes: recorders.map((recorder, lane) => ({
      recorder,
      route: { host, port: MESH_PORT },
      peer: { tls: { cert: leaf.certificate, key: leaf.key }, port: FIRST_PORT + lane },
    })),
  };
  const meshed = { name: "meshed", lanes: lanes((lane) => mesh.to("front", `web${lane}:${FIRST_PORT + lane}`)) };
  return { mesh, recorders, meshed, unmeshed, meshPort };
}

/** What the client sends to the application goes to its sidecar's inbound port, as capture would have it. */
async function redirect(client: string, host: string): Promise<boolean> {
  const nft = findProgram("nft");
  if (nft === null) return false;
  const ports = `${FIRST_PORT}-${FIRST_PORT + LANES - 1}`;
  const rules = `table ip tulle_http1 { chain output { type nat hook output priority -100;
    ip saddr ${client} ip daddr ${host} tcp dport ${ports} dnat to ${host}:${INBOUND_PORT};
  };
}
`;
  return (await run({ argv: [nft, "-f", "-"], stdin: rules })).code === 0;
}

/** HTTP/1.1 to HTTP/1.1 and HTTP/2 to HTTP/1.1 through another proxy, in its usual configuration of a reverse proxy. */
export interface PeerBed {
  readonly name: string;
  readonly http1: Path;
  readonly http2: Path;
}

export async function startPeers(stack: AsyncDisposableStack, dir: string): Promise<PeerBed[]> {
  const beds: PeerBed[] = [];
  for (const [name, argvOf] of Object.entries(PEERS)) {
    const program = findProgram(name);
    if (program === null) continue;
    const recorders = LANE_NUMBERS.map(() => stack.use(new Recorder("127.0.0.1", 0)));
    const ports = await freePorts(2 * LANES);
    const apps = recorders.map(({ port }) => port);
    for (const argv of argvOf(program, dir, ports, apps)) {
      const waited = ports.find((port) => argv.some((arg) => arg.includes(`,${port};`))) ?? ports[0] ?? 0;
      stack.use(await startServer({ argv, name, port: waited }));
    }
    const lanes = (first: number) =>
      recorders.map((recorder, lane) => ({ recorder, route: { host: "127.0.0.1", port: ports[first + lane] ?? 0 } }));
    beds.push({ name, http1: { name, lanes: lanes(0) }, http2: { name: `${name} h2`, lanes: lanes(LANES) } });
  }
  return beds;
}

type Argv = (program: string, dir: string, ports: readonly number[], apps: readonly number[]) => string[][];

const PEERS: Readonly<Record<string, Argv>> = {
  haproxy(program, dir, ports, apps) {
    const lanes = ports.map((port, at) => {
      const isHttp2 = at >= LANES;
      return `frontend f${at}
  bind 127.0.0.1:${port}${isHttp2 ? " proto h2" : ""}
  default_backend b${at}
backend b${at}
  server s 127.0.0.1:${apps[at % LANES]}`;
    });
    const file = join(dir, "haproxy.cfg");
    writeFileSync(
      file,
      `global
  nbthread 1
defaults
  mode http
  timeout connect 5s
  timeout client 10s
  timeout server 10s
  timeout http-keep-alive 10s
${lanes.join("\n")}
`,
    );
    return [[program, "-db", "-q", "-f", file]];
  },
  nginx(program, dir, ports, apps) {
    const servers = ports.map((port, at) =>
      `server { listen 127.0.0.1:${port}${at >= LANES ? " http2" : ""};
    location / { proxy_pass http://127.0.0.1:${
        apps[at % LANES]
      }; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Host $http_host; proxy_request_buffering off; proxy_buffering off; } }`
    );
    const file = join(dir, "nginx-peer.conf");
    writeFileSync(
      file,
      `daemon off; master_process off; pid ${dir}/peer.pid; error_log ${dir}/peer.log crit;
events { worker_connections 1024; }
http { access_log off; client_max_body_size 0; client_body_temp_path ${dir}/p1; proxy_temp_path ${dir}/p2;
  fastcgi_temp_path ${dir}/p3; uwsgi_temp_path ${dir}/p4; scgi_temp_path ${dir}/p5;
  ${servers.join("\n  ")}
}
`,
    );
    return [[program, "-c", file, "-p", dir, "-e", `${dir}/peer.log`]];
  },
  nghttpx(program, _dir, ports, apps) {
    const common = [program, "--conf=/dev/null", "--workers=1", "--single-process", "--no-ocsp", "--log-level=FATAL"];
    return apps.map((app, lane) => [
      ...common,
      "--accesslog-file=/dev/null",
      "--errorlog-file=/dev/null",
      `--frontend=127.0.0.1,${ports[lane]};no-tls`,
      `--frontend=127.0.0.1,${ports[LANES + lane]};no-tls`,
      `--backend=127.0.0.1,${app};;`,
    ]);
  },
};
