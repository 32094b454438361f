/** One instance at work: its namespaces, its sidecar, its app. */
import { createHash, randomBytes } from "node:crypto";
import { join } from "node:path";
import { writeFileSync } from "node:fs";
import { RUNTIME_OPTIONS } from "../../../src/base/runtime_options.ts";
import { type CapturePlan, DNS_PORT } from "../../../src/capture/capture_plan.ts";
import { type Fabric, insideOf, type Place } from "./fabric.ts";
import type { Instance } from "./mesh_folder.ts";
import { boundLog, privateFile, privateFolder } from "./state_folder.ts";
import { listeningPorts } from "./listening_ports.ts";
import { type ProcessEnd, SupervisedProcess } from "./supervised_process.ts";

/** An app that does not end after SIGTERM is killed after this time. */
const APP_GRACE_MS = 5_000;
/** Sidecars drain after the apps have ended, so little is left to wait for. */
const SIDECAR_GRACE_MS = 5_000;
/** The drain that a sidecar is told, below what it is given. */
const SIDECAR_DRAIN = "1s";
/** An unprivileged process cannot read what is asked of a name server that is not there; fail at once. */
const NO_NAMESERVER = "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n";

/** What is the same for all units of a run. */
export interface UnitSettings {
  readonly stateFolder: string;
  /** This program, without arguments. */
  readonly self: readonly string[];
  /** host:port */
  readonly controllerAddress: string;
  readonly trustBundleFile: string;
  /** Rules for sidecars. */
  readonly capture: CapturePlan;
  /** User of the sidecars, null for ours. */
  readonly sidecarUid: number | null;
  /** Start them as that user; otherwise they are started as root and change by themselves. */
  readonly startAsSidecarUser: boolean;
  /** User of the apps, null for ours. */
  readonly appUid: number | null;
  readonly accessLog: boolean;
  /** Networks that may read a sidecar's configuration. */
  readonly adminAllow: string;
  readonly onEnd: (end: ProcessEnd) => void;
}

export class WorkloadUnit {
  readonly instance: Instance;
  /** Its addresses, at least one; its parts are asked at the first. */
  readonly ips: readonly string[];
  /** null until `open`. */
  place: Place | null = null;
  /** null when the workload has no sidecar. */
  readonly sidecar: SupervisedProcess | null;
  readonly app: SupervisedProcess;
  /** Secret that proves to the controller whose sidecar is asking. */
  readonly tokenHash: string;
  readonly folder: string;
  readonly #token: string;
  readonly #settings: UnitSettings;

  constructor(instance: Instance, ips: readonly string[], settings: UnitSettings) {
    this.instance = instance;
    this.ips = ips;
    this.#settings = settings;
    this.folder = join(settings.stateFolder, `${instance.namespace}.${instance.name}`);
    this.#token = randomBytes(32).toString("base64url");
    this.tokenHash = createHash("sha256").update(this.#token).digest("hex");
    const inside = <T>(work: () => T): T => {
      if (this.place === null) throw new Error(`${instance.key} has no namespace yet`);
      return insideOf(this.place, work);
    };
    this.sidecar = instance.meshed ? new SupervisedProcess(this.#sidecarPlan(inside), settings.onEnd) : null;
    this.app = new SupervisedProcess(this.#appPlan(inside), settings.onEnd);
  }

  get ip(): string {
    return this.ips[0] ?? "";
  }

  get sidecarLog(): string {
    return join(this.folder, "sidecar.log");
  }

  get appLog(): string {
    return join(this.folder, "app.log");
  }

  /** Files and namespaces; nothing runs yet. @param hosts content of /etc/hosts @throws SystemError */
  open(fabric: Fabric, hosts: string): void {
    const { sidecarUid, capture } = this.#settings;
    privateFolder(this.folder, null);
    privateFolder(join(this.folder, "state"), sidecarUid);
    if (this.instance.meshed) privateFile(join(this.folder, "token"), this.#token, sidecarUid);
    writeFileSync(join(this.folder, "resolv.conf"), resolvConf(this.instance.dns.nameservers));
    this.writeHosts(hosts);
    const { skips, meshed, dns } = this.instance;
    const plan = {
      ...capture,
      dnsPort: dns.pinned ? DNS_PORT : null,
      skipOutboundPorts: [...capture.skipOutboundPorts, ...skips.outboundPorts],
      skipOutboundBlocks: [...capture.skipOutboundBlocks, ...skips.outboundBlocks],
      skipInboundPorts: [...capture.skipInboundPorts, ...skips.inboundPorts],
    };
    this.place = fabric.addWorkload(this.ips, meshed ? plan : null, this.folder);
  }

  /** Replaces the content of /etc/hosts. In place: the workload sees this very file. */
  writeHosts(hosts: string): void {
    writeFileSync(join(this.folder, "hosts"), hosts);
  }

  /** Whether something listens on all ports that the workload declares. */
  isListening(): boolean {
    const { place, instance } = this;
    if (place === null) return false;
    const open = place.net.run(listeningPorts);
    return instance.ports.every((port) => open.has(port));
  }

  /** Stops the app, then the sidecar, then lets go of the namespaces. @returns false when something had to be killed */
  async close(fabric: Fabric): Promise<boolean> {
    const app = await this.app.stop(APP_GRACE_MS);
    const sidecar = this.sidecar === null || await this.sidecar.stop(SIDECAR_GRACE_MS);
    if (this.place !== null) fabric.removeWorkload(this.place);
    this.place = null;
    return app && sidecar;
  }

  boundLogs(): void {
    boundLog(this.appLog);
    boundLog(this.sidecarLog);
  }

  #sidecarPlan(inside: <T>(work: () => T) => T) {
    const { instance, folder } = this;
    const { self, controllerAddress, trustBundleFile, sidecarUid, startAsSidecarUser, capture, accessLog, adminAllow } =
      this.#settings;
    const drop = sidecarUid === null || startAsSidecarUser ? {} : { TULLE_UID: String(sidecarUid) };
    const mark = capture.proxyMark === null ? {} : { TULLE_DIAL_MARK: `0x${capture.proxyMark.toString(16)}` };
    return {
      name: `${instance.key} sidecar`,
      command: [...self, "proxy"],
      workingDir: "/",
      env: {
        PATH: process.env["PATH"] ?? "/usr/bin:/bin",
        TULLE_WORKLOAD_NAMESPACE: instance.namespace,
        TULLE_WORKLOAD_NAME: instance.name,
        TULLE_WORKLOAD_ADDRESSES: this.ips.join(","),
        TULLE_ADMIN_ALLOW: adminAllow,
        TULLE_CAPTURE: "required",
        TULLE_CONTROLLER_ADDRESS: controllerAddress,
        TULLE_TRUST_BUNDLE_FILE: trustBundleFile,
        TULLE_TOKEN_FILE: join(folder, "token"),
        TULLE_STATE_DIR: join(folder, "state"),
        TULLE_ACCESS_LOG: accessLog ? "json" : "off",
        TULLE_DRAIN_GRACE: SIDECAR_DRAIN,
        TULLE_WORKERS: String(instance.workers),
        TULLE_EGRESS_DNS: instance.dns.pinned ? "pinned" : "off",
        TULLE_KEEP_PID: "always", // this process is its parent, and takes its end for the sidecar's
        ...RUNTIME_OPTIONS,
        ...mark,
        ...drop,
      },
      logFile: this.sidecarLog,
      uid: startAsSidecarUser ? sidecarUid : null,
      inside,
    };
  }

  #appPlan(inside: <T>(work: () => T) => T) {
    const { instance } = this;
    return {
      name: `${instance.key} app`,
      command: instance.command,
      workingDir: instance.workingDir,
      env: { ...environment(), TULLE_REPLICA: String(instance.index), HOSTNAME: instance.name, ...instance.env },
      logFile: this.appLog,
      uid: this.#settings.appUid,
      inside,
    };
  }
}

function resolvConf(nameservers: readonly string[]): string {
  return nameservers.length === 0 ? NO_NAMESERVER : nameservers.map((ip) => `nameserver ${ip}\n`).join("");
}

function environment(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).filter((pair): pair is [string, string] => pair[1] !== undefined),
  );
}
