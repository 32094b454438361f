/**
 * A whole mesh on loopback: the real controller, and a real sidecar per workload, each workload with an address of its
 * own in 127.0.0.0/8. Nothing is captured: what a workload calls are forwards, listeners of its sidecar whose original
 * destination is fixed. Needs no root.
 *
 *     await using mesh = await startMesh({
 *       workloads: [workload("front", { calls: ["web:8080"] }), workload("web")],
 *       services: [service("web", 8080, "http")],
 *     });
 *     // the app of "web" listens on mesh.ip("web"):8080; front reaches it at mesh.to("front", "web:8080")
 *
 * With TULLE_TEST_DIRECT=1 there is no mesh at all and clients reach the servers themselves: the way to see whether a
 * test is right about the servers and clients it uses.
 */
import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import { RUNTIME_OPTIONS } from "../../src/base/runtime_options.ts";
import { loadCa, type TestCa } from "./certificates.ts";
import { freePort, waitForPort } from "./ports.ts";
import { type Child, startProcess } from "./process.ts";
import {
  type Resource,
  serviceResource,
  type ServiceSpec,
  TRUST_DOMAIN,
  workloadResource,
  type WorkloadSpec,
} from "./resources.ts";
import { tulleCommand } from "./tulle_command.ts";

/** Time for a controller or a sidecar to be ready; far above what it takes, for busy machines. */
const READY_MS = 60_000;
const CONTROLLER_PORT = 8086;
const CONTROLLER_ADMIN_PORT = 9990;
const ADMIN_PORT = 4191;
/** First port of forwards in namespaces, where all are free. */
const FORWARD_PORT = 20_000;

export { tulleCommand };

export const isDirect = process.env["TULLE_TEST_DIRECT"] === "1";

export interface MeshOptions {
  readonly workloads: readonly WorkloadSpec[];
  readonly services: readonly ServiceSpec[];
  /** Routes and policies. */
  readonly resources?: readonly Resource[];
  /** Workloads that are not ready at first; the test starts their sidecars. */
  readonly withdrawn?: readonly string[];
  /** Life of certificates, for instance "10s"; default the controller's own. */
  readonly leafLifetime?: string;
  /** First three numbers of the addresses; default: random, so that meshes run side by side. */
  readonly subnet?: string;
  /** Command that is `tulle`; default: see tulleCommand(). */
  readonly tulle?: readonly string[];
  /** Cores to pin to. */
  readonly controllerCore?: number;
  readonly sidecarCore?: number | string;
  /** Threads of every sidecar; default: TULLE_TEST_WORKERS, else 1. */
  readonly workers?: number;
  /**
   * Starts a part ("controller", or the name of a workload) where it belongs, in a network namespace of its own; then
   * `subnet` must be given, and this process must reach all of it. Default: all on this machine's loopback.
   */
  readonly inside?: <T>(part: string, work: () => T) => T;
  /** Environment of every sidecar. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface Endpoint {
  readonly host: string;
  readonly port: number;
  /** "host:port" */
  readonly authority: string;
}

/** A controller or a sidecar that can be stopped and started again. */
export interface Part {
  readonly name: string;
  /** Where its admin server listens. */
  readonly adminUrl: string;
  child(): Child;
  /** Starts it (again) and waits until it is ready. */
  start(): Promise<void>;
  metrics(): Promise<string>;
}

export interface Mesh extends AsyncDisposable {
  readonly dir: string;
  readonly subnet: string;
  readonly controller: Part;
  ip(workload: string): string;
  /** Where `workload` connects to reach the target named in its `calls`. */
  to(workload: string, target: string): Endpoint;
  sidecar(workload: string): Part;
  /** Replaces routes and policies. */
  apply(resources: readonly Resource[]): void;
  /** Says which workloads are not ready: they are withdrawn from their services. All others are. */
  withdraw(workloads: readonly string[]): void;
  /** Writes a file of the configuration folder, or removes it (null). */
  writeConfig(file: string, text: string | null): void;
  /** The mesh's CA, to sign certificates that it never would. */
  ca(): Promise<TestCa>;
  /** The roots a client has to trust, as PEM. */
  trustBundleFile: string;
}

export function randomSubnet(): string {
  return `127.${64 + Math.floor(Math.random() * 128)}.${Math.floor(Math.random() * 256)}`;
}

/** Starts all parts and waits until each is ready. Disposing ends every process and removes every file. */
export async function startMesh(options: MeshOptions): Promise<Mesh> {
  const setup = await plan(options);
  const { mesh, stack } = setup;
  try {
    if (isDirect) return mesh;
    await mesh.controller.start();
    await Promise.all(
      options.workloads
        .filter((one) => one.meshed && one.started && options.withdrawn?.includes(one.name) !== true)
        .map((one) => mesh.sidecar(one.name).start()),
    );
    return mesh;
  } catch (cause) {
    const details = cause instanceof Error ? cause.message : String(cause);
    await stack.disposeAsync();
    throw new Error(`the mesh did not start: ${details}`, { cause });
  }
}

async function plan(options: MeshOptions): Promise<{ mesh: Mesh; stack: AsyncDisposableStack }> {
  const stack = new AsyncDisposableStack();
  const dir = mkdtempSync(join(tmpdir(), "tulle-mesh-"));
  stack.defer(() => rmSync(dir, { recursive: true, force: true }));
  const subnet = options.subnet ?? randomSubnet();
  const config = join(dir, "mesh");
  const state = join(dir, "controller");
  mkdirSync(config);
  mkdirSync(state, { mode: 0o700 });
  const ips = new Map(options.workloads.map((one, at) => [one.name, `${subnet}.${at + 1}`]));
  const clusterIps = new Map(options.services.map((one, at) => [`${one.namespace}/${one.name}`, `10.96.7.${at + 1}`]));
  const ipOf = (name: string) => ips.get(name) ?? fail(`no workload "${name}"`);
  const writeConfig = (file: string, text: string | null) => {
    const path = join(config, file);
    if (text === null) return rmSync(path, { force: true });
    writeFileSync(`${path}.tmp`, text);
    renameSync(`${path}.tmp`, path);
  };
  const writeBase = (unready: readonly string[]) =>
    writeConfig(
      "base.yaml",
      yamlOf([
        ...options.services.map((one) => serviceResource(one, clusterIps.get(`${one.namespace}/${one.name}`) ?? "")),
        ...options.workloads.map((one) => workloadResource(one, ipOf(one.name), !unready.includes(one.name))),
      ]),
    );
  writeBase(options.withdrawn ?? []);
  writeConfig("policy.yaml", yamlOf(options.resources ?? []));
  const tokens = writeTokens(dir, options.workloads);
  const forwards = await planForwards(options, ipOf, clusterIps);
  const command = options.tulle ?? tulleCommand();
  const controllerIp = `${subnet}.254`;
  const lifetime = options.leafLifetime === undefined ? [] : ["--leaf-lifetime", options.leafLifetime];
  const { inside } = options;
  const placeOf = (part: string) => <T>(work: () => T): T => inside === undefined ? work() : inside(part, work);
  const controller = partOf(stack, {
    name: "controller",
    inside: placeOf("controller"),
    argv: [
      ...command,
      "controller",
      ...["--config-dir", config, "--listen", `${controllerIp}:${CONTROLLER_PORT}`],
      ...["--admin", `${controllerIp}:${CONTROLLER_ADMIN_PORT}`, "--state-dir", state],
      ...["--trust-domain", TRUST_DOMAIN, "--tokens", join(dir, "tokens.json"), ...lifetime],
    ],
    env: {},
    core: options.controllerCore,
    adminUrl: `http://${controllerIp}:${CONTROLLER_ADMIN_PORT}`,
    ports: [[controllerIp, CONTROLLER_PORT]],
  });
  const bundle = join(state, "trust-bundle.pem");
  const sidecars = new Map(
    options.workloads.filter((one) => one.meshed && one.started).map((one) => {
      const ip = ipOf(one.name);
      const own = [...forwards.get(one.name)?.values() ?? []];
      const proxyState = join(dir, `state-${one.name}`);
      mkdirSync(proxyState, { mode: 0o700 });
      return [
        one.name,
        partOf(stack, {
          name: `sidecar of ${one.name}`,
          inside: placeOf(one.name),
          argv: [...command, "proxy"],
          env: {
            TULLE_WORKLOAD_NAMESPACE: one.namespace,
            TULLE_WORKLOAD_NAME: `${one.name}-0`,
            TULLE_WORKLOAD_ADDRESSES: ip,
            TULLE_CONTROLLER_ADDRESS: `${controllerIp}:${CONTROLLER_PORT}`,
            TULLE_TRUST_BUNDLE_FILE: bundle,
            TULLE_TOKEN_FILE: tokens.get(one.name) ?? "",
            TULLE_OUTBOUND_ADDRESS: `${inside === undefined ? ip : "127.0.0.1"}:4140`,
            TULLE_MESH_ADDRESS: `${ip}:4143`,
            TULLE_INBOUND_ADDRESS: `${ip}:4145`,
            TULLE_ADMIN_ADDRESS: `${ip}:${ADMIN_PORT}`,
            TULLE_STATE_DIR: proxyState,
            TULLE_OUTBOUND_FORWARDS: own.map(({ at, original }) => `${at.authority}=${original}`).join(","),
            TULLE_DRAIN_GRACE: "5s",
            ...RUNTIME_OPTIONS,
            TULLE_WORKERS: String(options.workers ?? process.env["TULLE_TEST_WORKERS"] ?? 1),
            ...options.env,
            ...one.env,
          },
          core: options.sidecarCore,
          adminUrl: `http://${ip}:${ADMIN_PORT}`,
          ports: own.map(({ at }): [string, number] => [at.host, at.port]),
        }),
      ] as const;
    }),
  );
  const mesh: Mesh = {
    dir,
    subnet,
    controller,
    trustBundleFile: bundle,
    ip: ipOf,
    to: (name, target) =>
      forwards.get(name)?.get(target)?.at ?? fail(`"${name}" does not say that it calls "${target}"`),
    sidecar: (name) => sidecars.get(name) ?? fail(`"${name}" has no sidecar`),
    apply: (resources) => writeConfig("policy.yaml", yamlOf(resources)),
    withdraw: writeBase,
    writeConfig,
    ca: () => loadCa(readFileSync(bundle, "utf8"), readFileSync(join(state, "ca-key.pem"), "utf8")),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
  return { mesh, stack };
}

interface Forward {
  readonly at: Endpoint;
  readonly original: string;
}

/** A listener per workload and target; without a mesh, the address of the first workload behind the service. */
async function planForwards(
  options: MeshOptions,
  ipOf: (name: string) => string,
  clusterIps: ReadonlyMap<string, string>,
): Promise<Map<string, Map<string, Forward>>> {
  const all = new Map<string, Map<string, Forward>>();
  // Applications may listen on all addresses.
  const taken = new Set(options.services.flatMap((one) => one.ports.map(({ targetPort }) => targetPort)));
  for (const one of options.workloads) {
    const own = new Map<string, Forward>();
    all.set(one.name, own);
    for (const target of one.calls) {
      const [path = "", portText = ""] = target.split(":");
      const host = ipOf(one.name);
      const forwardPort = async () =>
        options.inside === undefined ? await otherPort(host, taken) : FORWARD_PORT + own.size;
      if (/^[\d.]+$/.test(path)) {
        const at = isDirect ? endpoint(path, Number(portText)) : endpoint(host, await forwardPort());
        own.set(target, { at, original: target });
        continue;
      }
      const key = path.includes("/") ? path : `${one.namespace}/${path}`;
      const found = options.services.find((item) => `${item.namespace}/${item.name}` === key) ??
        fail(`no service "${key}"`);
      const port = found.ports.find((item) => item.port === Number(portText)) ??
        fail(`"${key}" has no port ${portText}`);
      if (isDirect) {
        const behind = options.workloads.find((item) => item.app === found.app) ?? fail(`nothing behind "${key}"`);
        own.set(target, { at: endpoint(ipOf(behind.name), port.targetPort), original: "" });
        continue;
      }
      own.set(target, { at: endpoint(host, await forwardPort()), original: `${clusterIps.get(key)}:${portText}` });
    }
  }
  return all;
}

/** A free port that is none of those, and is one of them from then on. */
async function otherPort(host: string, taken: Set<number>): Promise<number> {
  for (;;) {
    const port = await freePort(host);
    if (taken.has(port)) continue;
    taken.add(port);
    return port;
  }
}

interface PartOptions {
  readonly name: string;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly core: number | string | undefined;
  readonly inside: <T>(work: () => T) => T;
  readonly adminUrl: string;
  /** Besides the admin server, what must accept connections before it counts as ready. */
  readonly ports: readonly (readonly [string, number])[];
}

function partOf(stack: AsyncDisposableStack, options: PartOptions): Part {
  let child: Child | null = null;
  stack.defer(async () => {
    await child?.stop(2_000);
  });
  const part: Part = {
    name: options.name,
    adminUrl: options.adminUrl,
    child: () => child ?? fail(`${options.name} is not running`),
    async start() {
      const { argv, name, env, core } = options;
      const started = options.inside(() => startProcess({ argv, name, env, core }));
      child = started;
      await waitUntilReady(started, options.adminUrl);
      for (const [host, port] of options.ports) await waitForPort(host, port, { gone: () => started.gone() });
    },
    async metrics() {
      return await (await fetch(`${options.adminUrl}/metrics`)).text();
    },
  };
  return part;
}

/** Resolves when the admin server says ready; rejects with what the process wrote when it ends, or takes too long. */
async function waitUntilReady(child: Child, adminUrl: string): Promise<void> {
  const deadline = Date.now() + READY_MS;
  for (let last = "no answer";; await Bun.sleep(10)) {
    const gone = child.gone();
    if (gone !== null) throw new Error(gone);
    if (Date.now() > deadline) throw new Error(`${child.name} is not ready: ${last}\n${child.output().slice(-2_000)}`);
    try {
      const response = await fetch(`${adminUrl}/ready`);
      if (response.status === 200) return;
      last = `${response.status} ${await response.text()}`;
    } catch (cause) {
      last = String(cause);
    }
  }
}

/** A secret per workload in a file of its own, and the file of their hashes that the controller reads. */
function writeTokens(dir: string, workloads: readonly WorkloadSpec[]): Map<string, string> {
  const files = new Map<string, string>();
  const known: Record<string, Resource> = {};
  for (const one of workloads) {
    const token = randomBytes(24).toString("hex");
    const file = join(dir, `token-${one.name}`);
    writeFileSync(file, token, { mode: 0o600 });
    files.set(one.name, file);
    known[createHash("sha256").update(token).digest("hex")] = {
      namespace: one.namespace,
      serviceAccount: one.serviceAccount,
      workload: `${one.name}-0`,
    };
  }
  writeFileSync(join(dir, "tokens.json"), JSON.stringify(known, null, 1), { mode: 0o600 });
  return files;
}

export function yamlOf(resources: readonly Resource[]): string {
  return resources.map((resource) => `---\n${stringify(resource)}`).join("");
}

function endpoint(host: string, port: number): Endpoint {
  return { host, port, authority: `${host}:${port}` };
}

function fail(message: string): never {
  throw new Error(message);
}
