/**
 * What every attack meets: a real pair of sidecars, applications behind one of them, a bystander that is served meanwhile,
 * and ways to the listeners as their attackers have them.
 */
import { join } from "node:path";
import { MESH_ALPN } from "../../src/proxy/mtls/transport.ts";
import type { KeyPair } from "../support/certificates.ts";
import { eventually } from "../support/eventually.ts";
import { type Mesh, startMesh } from "../support/mesh.ts";
import { type Child, run, startProcess, startServer } from "../support/process.ts";
import { service, spiffeId, workload } from "../support/resources.ts";
import type { BystanderReport } from "./_bystander.ts";
import { PORT } from "./_ports.ts";
import { Wire, type WireTls } from "./_wire.ts";

/** Who attacks which listener. */
export type Place =
  /** 4140: a program of the workload itself. */
  | "outbound"
  /** 4145: plaintext, from anybody on the network. */
  | "inbound"
  /** 4143: a sidecar with a certificate of the mesh. */
  | "mesh"
  /** 4143: anybody, without a certificate. */
  | "mesh, stranger"
  /** 4191: anybody. */
  | "admin"
  /** The controller's port: anybody. */
  | "controller";

export type AppPort = keyof typeof PORT;

const APP_PROTOCOL: Readonly<Record<AppPort, string>> = {
  http1: "http",
  files: "http",
  http2: "kubernetes.io/h2c",
  noise: "tulle.dev/opaque",
  hostile1: "http",
  hostile2: "kubernetes.io/h2c",
};
const MESH_PORT = 4143;
const INBOUND_PORT = 4145;
const ADMIN_PORT = 4191;
const CONTROLLER_PORT = 8086;
/** ALPN of HTTP/2 in wire format. */
const HTTP2_ALPN = Buffer.from("\x02h2", "latin1");
/** Last number of the address that attackers from the network have. */
const STRANGER = 66;
const BUN = process.execPath;
/** Longest wait for the bystander's report: its requests that are under way have to end. */
const REPORT_MS = 60_000;
/** Work before the memory is read for the first time: compiled code and pools are there then. */
const WARM_MS = 1_200;

export class Rig implements AsyncDisposable {
  readonly mesh: Mesh;
  readonly #apps: readonly Child[];
  readonly #leaf: KeyPair;
  #bystander: Child | null = null;
  #reports = 0;
  /** Reason why strangers cannot reach the inbound listener here; "" when they can. */
  readonly inboundMissing: string;

  private constructor(mesh: Mesh, apps: readonly Child[], leaf: KeyPair, inboundMissing: string) {
    this.mesh = mesh;
    this.#apps = apps;
    this.#leaf = leaf;
    this.inboundMissing = inboundMissing;
  }

  /** @param isCaptured this process has a network namespace of its own, where connections may be redirected */
  static async start(isCaptured: boolean, env: Readonly<Record<string, string>> = {}): Promise<Rig> {
    const ports = Object.keys(PORT) as AppPort[]; // the type of Object.keys is wider
    const mesh = await startMesh({
      workloads: [
        workload("front", { calls: ports.map(targetOf) }),
        workload("web"),
        workload("mallory", { started: false }),
      ],
      services: ports.map((name) => service(name, PORT[name], APP_PROTOCOL[name], { app: "web" })),
      env,
    });
    try {
      // The bystander's application does not share a process with those that are attacked: their work is not the sidecars'.
      const apps = await Promise.all((["http1", "http2"] as const).map((part) =>
        startServer({
          argv: [BUN, join(import.meta.dirname, "_app.ts"), mesh.ip("web"), part],
          name: `applications (${part})`,
          host: mesh.ip("web"),
          port: PORT[part],
        })
      ));
      const inboundMissing = isCaptured ? await redirect(mesh) : "needs a network namespace of its own";
      const ca = await mesh.ca();
      const leaf = await ca.issue({ uris: [spiffeId("mallory")], dnsNames: ["mesh.tulle.dev"] });
      return new Rig(mesh, apps, leaf, inboundMissing);
    } catch (cause) {
      await mesh[Symbol.asyncDispose]();
      throw cause;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#bystander?.stop(0);
    await Promise.all(this.#apps.map((app) => app.stop()));
    await this.mesh[Symbol.asyncDispose]();
  }

  /** Address that attackers from the network have. */
  get stranger(): string {
    return `${this.mesh.subnet}.${STRANGER}`;
  }

  /** Processes of the sidecars: of the client, and of the server; and of the controller. */
  get pids(): number[] {
    return [...["front", "web"].map((name) => this.mesh.sidecar(name)), this.mesh.controller].map((part) =>
      part.child().pid
    );
  }

  /** What both sidecars have written since the start, for looking when something went wrong. */
  output(): string {
    const parts = [this.mesh.sidecar("front"), this.mesh.sidecar("web"), this.mesh.controller];
    return parts.map((part) => part.child().output().slice(-1_500)).join("\n");
  }

  /** Metrics of both sidecars, by lines; asked again while an attack on the admin port is still in the way. */
  async metrics(): Promise<string[]> {
    const texts = ["front", "web"].map((name) => eventually(() => this.mesh.sidecar(name).metrics(), REPORT_MS));
    return (await Promise.all(texts)).join("\n").split("\n");
  }

  /** A new connection to an application's port by way of a listener, ready for the application's protocol. */
  async open(place: Place, port: AppPort): Promise<Wire> {
    const ip = this.mesh.ip("web");
    switch (place) {
      case "outbound":
        return await Wire.open(this.mesh.to("front", targetOf(port)));
      case "inbound":
        return await Wire.open({ host: ip, port: PORT[port], from: this.stranger });
      case "mesh":
        return await this.#openMesh(PORT[port]);
      case "mesh, stranger":
        return await this.openBare();
      case "admin":
        return await Wire.open({ host: ip, port: ADMIN_PORT });
      case "controller":
        return await this.openController(true);
    }
  }

  /** TCP to the mesh port, nothing more. */
  async openBare(): Promise<Wire> {
    return await Wire.open({ host: this.mesh.ip("web"), port: MESH_PORT, from: this.stranger });
  }

  /** Where the controller listens. */
  get controller(): { readonly host: string; readonly port: number } {
    return { host: `${this.mesh.subnet}.254`, port: CONTROLLER_PORT };
  }

  /** TCP to the controller, nothing more. */
  async openControllerBare(): Promise<Wire> {
    return await Wire.open({ ...this.controller, from: this.stranger });
  }

  /** HTTP/2 with the controller; with the certificate of the attacking workload, or with none. */
  async openController(isKnown: boolean): Promise<Wire> {
    return await Wire.open({
      ...this.controller,
      from: this.stranger,
      tls: { ...this.tls(isKnown), alpn: HTTP2_ALPN },
    });
  }

  /** A handshake on the mesh port; with the certificate of a workload of the mesh, or with none. */
  async openTls(isKnown: boolean): Promise<Wire> {
    const from = isKnown ? {} : { from: this.stranger };
    return await Wire.open({ host: this.mesh.ip("web"), port: MESH_PORT, tls: this.tls(isKnown), ...from });
  }

  tls(isKnown: boolean): WireTls {
    const identity = isKnown ? { cert: this.#leaf.certificate, key: this.#leaf.key } : {};
    return { ...identity, serverName: "mesh.tulle.dev", alpn: MESH_ALPN };
  }

  /** What the bystander saw since it was asked last; the first call starts it and lets it warm everything up. */
  async bystander(): Promise<BystanderReport> {
    if (this.#bystander === null) {
      const options = { targets: [this.mesh.to("front", targetOf("http1"))], pids: this.pids };
      const argv = [BUN, join(import.meta.dirname, "_bystander.ts"), JSON.stringify(options)];
      this.#bystander = startProcess({ argv, name: "bystander", stdin: "pipe" });
      await Bun.sleep(WARM_MS);
    }
    const child = this.#bystander;
    child.write("report\n");
    const line = ++this.#reports;
    await child.waitForOutput(new RegExp(`^(?:.+\\n){${line}}`), REPORT_MS);
    return JSON.parse(child.stdout().split("\n")[line - 1] ?? "") as BystanderReport;
  }

  async #openMesh(port: number): Promise<Wire> {
    const wire = await this.openTls(true);
    const { promise, resolve } = Promise.withResolvers<void>();
    wire.onData = () => resolve();
    await wire.send(transportHeader(port));
    await Promise.race([promise, wire.closed]);
    wire.onData = () => {};
    return wire;
  }
}

/** Each port of the applications is a Service of its own. */
function targetOf(port: AppPort): string {
  return `${port}:${PORT[port]}`;
}

/** A TransportHeader as it goes over the wire: length, then field 1 (port) and field 2 (protocol: HTTP/2). */
export function transportHeader(port: number, protocol = 1): Buffer {
  const message: number[] = [0x08];
  let rest = port;
  for (; rest >= 128; rest = Math.floor(rest / 128)) message.push((rest % 128) | 128);
  message.push(rest, 0x10, protocol);
  return Buffer.from([0, message.length, ...message]);
}

/** Sends what strangers open to the applications' ports to the inbound listener, as capture does in a pod. */
async function redirect(mesh: Mesh): Promise<string> {
  const ports = Object.values(PORT).join(", ");
  const rule = `ip saddr ${mesh.subnet}.${STRANGER} ip daddr ${mesh.ip("web")} tcp dport { ${ports} }`;
  const rules = `table ip attacks {
    chain output {
      type nat hook output priority -100
      ${rule} dnat to ${mesh.ip("web")}:${INBOUND_PORT}
    }
  }`;
  const done = await run({ argv: ["nft", rules] });
  return done.code === 0 ? "" : `nft cannot redirect here: ${done.stderr.trim().slice(0, 200)}`;
}
