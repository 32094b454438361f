/** Everything in this process that listens and carries traffic: the data path of all its threads, and admin. */
import { type AdminDeps, createAdmin } from "../../admin/admin.ts";
import { type AdminServer, listenAdmin } from "../../admin/listen.ts";
import { errorText } from "../../base/error.ts";
import type { Logger } from "../../base/log.ts";
import type { ProxyConfig } from "../../config/proxy_config.ts";
import type { Identity } from "../../identity/identity.ts";
import type { InboundPolicy } from "../../model/inbound.ts";
import { closeDescriptor, type ListenAt } from "../../net/listener.ts";
import { registerProcessMetrics } from "../../telemetry/process_metrics.ts";
import type { Registry } from "../../telemetry/registry.ts";
import { TapHub } from "../../telemetry/tap.ts";
import { DataPath } from "../data_path.ts";
import { type GivenSockets, Listeners } from "../connection/listeners.ts";
import { type PathReport, reportPath } from "../path_report.ts";
import { Pins } from "../resolve/pins.ts";
import type { Resolver } from "../resolve/resolver.ts";
import type { Control, ControlUser } from "./control.ts";
import { lostLines, writeAccessLines } from "./log.ts";
import type { Upgradable } from "./upgrade/upgrade.ts";
import type { WorkerPool } from "./workers/pool.ts";

/** Name of the admin socket among those that a process inherits. */
const ADMIN = "admin";

export class Serving implements ControlUser, Upgradable {
  readonly #config: ProxyConfig;
  readonly #workers: WorkerPool | null;
  readonly #control: Control;
  readonly #listeners: Listeners;
  readonly #path: DataPath;
  readonly #log: Logger;
  readonly #pins: Pins | null;
  #resolver: Resolver | null = null;
  #adminDeps: AdminDeps | null = null;
  #admin: AdminServer | null = null;

  /** @param workers further threads of the data path, null for none */
  constructor(config: ProxyConfig, log: Logger, control: Control, workers: WorkerPool | null) {
    this.#config = config;
    this.#control = control;
    this.#workers = workers;
    this.#log = log;
    this.#pins = config.egressDns === "pinned" ? new Pins() : null;
    this.#listeners = new Listeners({ mayBind: true, gate: workers?.gate ?? null });
    this.#path = new DataPath({
      config,
      log,
      listeners: this.#listeners,
      source: control.source(),
      tap: new TapHub((isWatched) => workers?.tap(isWatched)),
      pins: this.#pins,
      writeAccessLog: writeAccessLines,
      lostLogLines: lostLines,
    });
    registerProcessMetrics(this.#path.metrics.registry);
  }

  get path(): DataPath {
    return this.#path;
  }

  /** Says what admin serves; before anything is opened. */
  setAdmin(deps: AdminDeps): void {
    this.#adminDeps = deps;
  }

  /** Binds all listeners but the mesh's, which opens with the first certificate. @throws when an address cannot be had */
  open(): void {
    this.#listenAdmin(this.#config.adminAddress);
    this.#path.proxy.start();
  }

  /**
   * Listens for questions to nameservers, where names are pinned.
   *
   * @param isSuccessor of a process that may still listen
   * @throws when the address cannot be had
   */
  async openDns(isSuccessor: boolean): Promise<void> {
    if (this.#pins === null) return;
    const { Resolver } = await import("../resolve/resolver.ts"); // most workloads do without it
    this.#resolver ??= new Resolver({
      pins: this.#pins,
      listen: this.#config.dnsAddress,
      nameservers: this.#config.nameservers,
      stateDir: this.#config.stateDir,
      registry: this.#path.metrics.registry,
      log: this.#log,
      clock: () => performance.now(),
      wallClock: () => Date.now(),
    });
    await this.#resolver.open(isSuccessor);
  }

  /** Looks after what is idle. Call every half minute. */
  sweep(): void {
    this.#path.sweep();
    this.#resolver?.sweep();
  }

  /** Starts the other threads. */
  startWorkers(): void {
    this.#workers?.start({
      control: this.#control,
      path: this.#path,
      listeners: this.#listeners,
      writeAccessLog: writeAccessLines,
    });
  }

  /** Opens nothing until `takeBack`: another process has the sockets. */
  hold(): void {
    this.#listeners.isHeld = true;
  }

  // --- ControlUser

  useIdentity(identity: Identity): void {
    const wasOpen = this.#path.proxy.meshIsOpen;
    this.#path.useIdentity(identity);
    this.#workers?.useIdentity(identity);
    if (!wasOpen && this.#path.proxy.meshIsOpen) this.#workers?.shareListeners();
  }

  usePolicy(policy: InboundPolicy): void {
    this.#path.proxy.usePolicy(policy); // workers get it from the mirror
  }

  // --- state

  /** What is missing before this process can serve. */
  missing(): string[] {
    const { proxy } = this.#path;
    const reasons = [...this.#workers?.missing() ?? []];
    if (this.#config.capture === "required" && !proxy.selfTest.passed) {
      reasons.push(
        "capture does not work: a connection of the proxy's own was not redirected; are the rules of table inet tulle there?",
      );
    }
    if (this.#control.identity.current() !== null && !proxy.meshIsOpen) reasons.push("mesh listener is not open");
    if (this.#pins !== null && this.#resolver?.isOpen !== true) reasons.push("the listener for DNS is not open");
    return reasons;
  }

  async metrics(): Promise<Registry> {
    return await this.#workers?.metrics() ?? this.#path.metrics.registry;
  }

  async reports(): Promise<PathReport[]> {
    return [reportPath(this.#path.proxy, this.#path.flows), ...await this.#workers?.reports() ?? []];
  }

  get connections(): number {
    return this.#path.proxy.live.size + (this.#workers?.connections ?? 0);
  }

  get captureWorks(): boolean {
    return this.#path.proxy.selfTest.passed;
  }

  // --- end

  /** Has all threads drain; resolves when the last connection has ended. */
  async drain(): Promise<void> {
    const own = new Promise<void>((resolve) => this.#path.proxy.drain(resolve));
    await Promise.all([own, this.#workers?.finish("drain")]);
  }

  async cutOff(reason: string): Promise<number> {
    const own = this.#path.cutOff(reason);
    return own + (await this.#workers?.end(reason) ?? 0);
  }

  async close(): Promise<void> {
    this.#control.stop();
    await this.#workers?.end("closed");
    await this.#path.close();
    this.#resolver?.close();
    this.#admin?.stop();
  }

  // --- Upgradable

  keepState(): void {
    this.#control.discovery.flush();
    this.#resolver?.save();
  }

  duplicates(): GivenSockets | null {
    const sockets = this.#listeners.duplicates();
    const fd = this.#admin?.duplicate() ?? -1;
    if (sockets !== null && fd >= 0) return { ...sockets, [ADMIN]: { fd, port: this.#config.adminAddress.port } };
    for (const socket of Object.values(sockets ?? {})) closeDescriptor(socket.fd);
    closeDescriptor(fd);
    return null;
  }

  stepAside(): void {
    this.#workers?.releaseListeners();
    this.#listeners.release();
    this.#resolver?.stop();
  }

  takeBack(sockets: GivenSockets): void {
    const { [ADMIN]: admin, ...others } = sockets;
    this.#listeners.give(others);
    this.#listeners.isHeld = false;
    const { proxy } = this.#path;
    proxy.live.stay();
    proxy.start();
    this.#path.presentIdentity();
    this.#workers?.shareListeners();
    this.#listenAdmin(admin ?? this.#config.adminAddress);
    this.openDns(true).catch((error) => this.#log.error("no name can be pinned", { error: errorText(error) }));
  }

  async retire(): Promise<void> {
    const own = new Promise<void>((resolve) => this.#path.proxy.retire(resolve));
    await Promise.all([own, this.#workers?.finish("retire"), this.#admin?.retire()]);
  }

  #listenAdmin(at: ListenAt): void {
    if (this.#adminDeps !== null) this.#admin = listenAdmin(createAdmin(this.#adminDeps), at);
  }

  /** Collects garbage in the other threads. */
  trimWorkers(): void {
    this.#workers?.trim();
  }
}
