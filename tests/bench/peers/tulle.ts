/**
 * Tulle: the HTTP engine as a TLS hop, and the real thing: controller and two sidecars on loopback, mutual TLS, with
 * policy, routes and metrics on.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { startMesh } from "../../support/mesh.ts";
import { freePorts } from "../../support/ports.ts";
import { startServer } from "../../support/process.ts";
import { allowAccounts, httpRoute, type Resource, server, service, workload } from "../../support/resources.ts";
import { LOAD_CORE, PROXY_CORE, type Rig, type Subject } from "../rig.ts";
import { startAll, subjectOf } from "./_processes.ts";

/** The engine behind a plain TLS listener; the product itself terminates only mutual TLS. */
const HOP_PROXY = join(import.meta.dirname, "..", "hop_proxy.ts");

export async function tulleHop(_program: string, rig: Rig): Promise<Subject | null> {
  if (!existsSync(HOP_PROXY)) return null;
  const [h1 = 0, h2 = 0] = await freePorts(2);
  const { backendHost, backends, files } = rig;
  const start = (protocol: "h1" | "h2", port: number) => async () => {
    const addresses = ["--listen", `127.0.0.1:${port}`, "--upstream", `${backendHost}:${backends[protocol]}`];
    const argv = [process.execPath, HOP_PROXY, ...addresses, "--cert", files.certificate, "--key", files.key];
    const child = await startServer({ argv, name: `tulle hop ${protocol}`, core: PROXY_CORE, port });
    return { child, side: "a", protocols: [protocol] } as const;
  };
  const sides = await startAll([start("h1", h1), start("h2", h2)]);
  const target = (port: number) => ({ host: "127.0.0.1", port, tls: true });
  return subjectOf("tulle", "hop", { h1: target(h1), h2: target(h2) }, sides);
}

export async function tullePair(program: string, rig: Rig): Promise<Subject> {
  const { h1, h2, opaque } = rig.backends;
  const client = workload("front", { calls: [`h1:${h1}`, `h2:${h2}`, `tcp:${opaque}`] });
  const mesh = await startMesh({
    // The second workload has the address of the backends.
    subnet: rig.subnet,
    workloads: [
      client,
      workload("backend", {
        ports: [
          { name: "h1", port: h1, appProtocol: "http" },
          { name: "h2", port: h2, appProtocol: "kubernetes.io/h2c" },
          { name: "tcp", port: opaque, appProtocol: "tulle.dev/opaque" },
        ],
      }),
    ],
    services: [
      service("h1", h1, "http", { app: "backend" }),
      service("h2", h2, "kubernetes.io/h2c", { app: "backend" }),
      service("tcp", opaque, "tulle.dev/opaque", { app: "backend" }),
    ],
    resources: [
      ...policyOf("h1", h1, "HTTP/1"),
      ...policyOf("h2", h2, "HTTP/2"),
      ...policyOf("tcp", opaque, "opaque"),
      routeOf("h1", h1),
      routeOf("h2", h2),
    ],
    tulle: [program],
    controllerCore: LOAD_CORE,
    sidecarCore: PROXY_CORE,
  });
  const target = (name: string, port: number) => ({ ...mesh.to("front", `${name}:${port}`), tls: false });
  const targets = { h1: target("h1", h1), h2: target("h2", h2), opaque: target("tcp", opaque) };
  return {
    proxy: "tulle",
    shape: "pair",
    target: (protocol) => targets[protocol],
    sides: () => ({ a: [mesh.sidecar("front").child().pid], b: [mesh.sidecar("backend").child().pid] }),
    [Symbol.asyncDispose]: () => mesh[Symbol.asyncDispose](),
  };
}

/** A Server on the port that admits the client's account alone. */
function policyOf(name: string, port: number, proxyProtocol: string): Resource[] {
  return [
    server(name, "backend", port, { proxyProtocol }),
    ...allowAccounts(name, { kind: "Server", name }, ["front"]),
  ];
}

/** Three rules, so that routing has something to decide; the load matches the last. */
function routeOf(name: string, port: number): Resource {
  const backendRefs = [{ name, port }];
  return httpRoute(name, { kind: "Service", name, port }, [
    { matches: [{ path: { type: "PathPrefix", value: "/admin" } }], backendRefs },
    { matches: [{ headers: [{ name: "x-canary", value: "yes" }] }], backendRefs },
    { matches: [{ path: { type: "PathPrefix", value: "/" } }], backendRefs },
  ]);
}
