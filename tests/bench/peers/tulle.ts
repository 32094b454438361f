/**
 * Tulle: the HTTP engine as a TLS hop, and the real thing: controller and two sidecars on loopback, mutual TLS, with
 * policy, routes and metrics on.
 */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type Mesh, startMesh } from "../../support/mesh.ts";
import { processTree } from "../../support/proc.ts";
import { startServer } from "../../support/process.ts";
import {
  allowAccounts,
  grpcRoute,
  httpRoute,
  type Resource,
  server,
  service,
  workload,
} from "../../support/resources.ts";
import { coresOf, LOAD_CORE, type Rig, type Subject, type Variant } from "../rig.ts";
import { HTTP_PROTOCOLS, LOOPBACK, portsOf, startAll, subjectOf, targetsOf } from "./_processes.ts";

/** The engine behind a plain TLS listener; the product itself terminates only mutual TLS. */
const HOP_PROXY = join(import.meta.dirname, "..", "hop_proxy.ts");
/** A sidecar that runs only while its start is timed. */
const LATE = "late";
const STOP_MS = 500;

export async function tulleHop(_program: string, rig: Rig, variant: Variant): Promise<Subject> {
  const ports = await portsOf(HTTP_PROTOCOLS);
  const { backendHost, backends, files } = rig;
  const sides = await startAll(HTTP_PROTOCOLS.map((protocol) => async () => {
    const port = ports[protocol];
    const addresses = ["--listen", `${LOOPBACK}:${port}`, "--upstream", `${backendHost}:${backends[protocol]}`];
    const argv = [process.execPath, HOP_PROXY, ...addresses, "--cert", files.certificate, "--key", files.key];
    const child = await startServer({ argv, name: `tulle hop ${protocol}`, core: coresOf(variant), port });
    return { child, side: "a", protocols: [protocol] } as const;
  }));
  return subjectOf(variant.proxy, "hop", targetsOf(ports, true), sides);
}

/**
 * Null when several workers are asked for and this binary has none.
 *
 * @param env of the sidecars, beside their own
 */
export async function tullePair(
  program: string,
  rig: Rig,
  variant: Variant,
  env: Readonly<Record<string, string>> = {},
): Promise<Subject | null> {
  if (variant.threads > 1 && !knowsWorkers(program)) return null;
  const { h1, h2, grpc, opaque } = rig.backends;
  const ports = [
    { name: "h1", port: h1, appProtocol: "http" },
    { name: "h2", port: h2, appProtocol: "kubernetes.io/h2c" },
    { name: "grpc", port: grpc, appProtocol: "grpc" },
    { name: "tcp", port: opaque, appProtocol: "tulle.dev/opaque" },
  ];
  const calls = ports.map(({ name, port }) => `${name}:${port}`);
  // The second workload has the address of the backends; each mesh needs one of its own.
  const subnet = await rig.subnetFor(variant);
  const mesh = await startMesh({
    subnet,
    workloads: [workload("front", { calls }), workload("backend", { ports }), workload(LATE, { calls })],
    services: ports.map(({ name, port, appProtocol }) => service(name, port, appProtocol, { app: "backend" })),
    resources: [
      ...policyOf("h1", h1, "HTTP/1"),
      ...policyOf("h2", h2, "HTTP/2"),
      ...policyOf("grpc", grpc, "gRPC"),
      ...policyOf("tcp", opaque, "opaque"),
      httpRouteOf("h1", h1),
      httpRouteOf("h2", h2),
      grpcRouteOf("grpc", grpc),
    ],
    tulle: [program],
    controllerCore: LOAD_CORE,
    sidecarCore: coresOf(variant),
    env: { ...(variant.threads > 1 ? { TULLE_WORKERS: String(variant.threads) } : {}), ...env },
  });
  await mesh.sidecar(LATE).child().stop(STOP_MS);
  const target = (name: string, port: number) => ({ ...mesh.to("front", `${name}:${port}`), tls: false });
  const targets = {
    h1: target("h1", h1),
    h2: target("h2", h2),
    grpc: target("grpc", grpc),
    opaque: target("tcp", opaque),
  };
  return {
    proxy: variant.proxy,
    shape: "pair",
    target: (protocol) => targets[protocol],
    sides: () => ({ a: pidsOf(mesh, "front"), b: pidsOf(mesh, "backend") }),
    startAnother: () => timeStart(mesh),
    [Symbol.asyncDispose]: () => mesh[Symbol.asyncDispose](),
  };
}

function pidsOf(mesh: Mesh, name: string): number[] {
  return processTree(mesh.sidecar(name).child().pid);
}

/** The start of a sidecar that has never run: no certificate yet, nothing saved. Milliseconds. */
async function timeStart(mesh: Mesh): Promise<number> {
  const state = join(mesh.dir, `state-${LATE}`);
  rmSync(state, { recursive: true, force: true });
  mkdirSync(state, { mode: 0o700 });
  const startedAt = performance.now();
  await mesh.sidecar(LATE).start();
  const ms = performance.now() - startedAt;
  await mesh.sidecar(LATE).child().stop(STOP_MS);
  return ms;
}

function knowsWorkers(program: string): boolean {
  return Bun.spawnSync([program, "proxy", "--help"]).stdout.toString().includes("TULLE_WORKERS");
}

/** A Server on the port that admits the client's account alone. */
function policyOf(name: string, port: number, proxyProtocol: string): Resource[] {
  return [
    server(name, "backend", port, { proxyProtocol }),
    ...allowAccounts(name, { kind: "Server", name }, ["front"]),
  ];
}

/** Three rules, so that routing has something to decide; the load matches the last. */
function httpRouteOf(name: string, port: number): Resource {
  const backendRefs = [{ name, port }];
  return httpRoute(name, { kind: "Service", name, port }, [
    { matches: [{ path: { type: "PathPrefix", value: "/admin" } }], backendRefs },
    { matches: [{ headers: [{ name: "x-canary", value: "yes" }] }], backendRefs },
    { matches: [{ path: { type: "PathPrefix", value: "/" } }], backendRefs },
  ]);
}

function grpcRouteOf(name: string, port: number): Resource {
  const backendRefs = [{ name, port }];
  return grpcRoute(name, { kind: "Service", name, port }, [
    { matches: [{ method: { service: "bench.v1.Admin" } }], backendRefs },
    { matches: [{ headers: [{ name: "x-canary", value: "yes" }] }], backendRefs },
    { matches: [{ method: { service: "bench.v1.Echo" } }], backendRefs },
  ]);
}
