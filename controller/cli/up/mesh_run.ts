/** One run of a folder: controller, workloads and their sidecars, following the folder's changes. */
import { copyFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { errorText } from "../../../src/base/error.ts";
import { DEFAULT_PLAN, PROXY_MARK, PROXY_UID } from "../../../src/capture/capture_plan.ts";
import { Namespace } from "../../../src/capture/namespace.ts";
import { AddressBook } from "./address_book.ts";
import { controllerFolder, controllerPlan } from "./controller_process.ts";
import { BRIDGE, Fabric } from "./fabric.ts";
import { hostsFile } from "./hosts_file.ts";
import { type Instance, type MeshFolder, MeshFolderReader } from "./mesh_folder.ts";
import { meshFile, replaceFile, tokensFile } from "./mesh_files.ts";
import { isWanted, type Scrape } from "./mesh_stats.ts";
import { findMissing } from "./missing_programs.ts";
import { NamespaceNames } from "./namespace_names.ts";
import { type InnerPlan, type Traces, TRACES_FILE } from "./plan.ts";
import { fetchText, waitUntilReady } from "./probe.ts";
import type { Progress } from "./progress.ts";
import { parsePrometheusText } from "./prometheus_text.ts";
import type { SelfCommand } from "./self_binary.ts";
import { READY_TIMEOUT_MS, showLog, startUnits } from "./start_units.ts";
import { boundLog } from "./state_folder.ts";
import { type ProcessEnd, SupervisedProcess } from "./supervised_process.ts";
import { type UnitSettings, WorkloadUnit } from "./workload_unit.ts";
import { ADMIN_PORT } from "../../core/sidecar_ports.ts";

const CONTROLLER_PORT = 8086;
const CONTROLLER_ADMIN_PORT = 9990;
/** Nothing depends on it any more when it is told to end. */
const CONTROLLER_GRACE_MS = 5_000;

export class MeshRun {
  readonly units = new Map<string, WorkloadUnit>();
  readonly fabric: Fabric;
  readonly book: AddressBook;
  readonly reader: MeshFolderReader;
  folder: MeshFolder;
  /** Instances whose program is not installed. */
  readonly missing = new Set<string>();
  readonly #plan: InnerPlan;
  readonly #progress: Progress;
  readonly #settings: UnitSettings;
  readonly #controller: SupervisedProcess;
  readonly #names: NamespaceNames | null;
  readonly #fabricName: string | null;
  readonly #pid: number;
  readonly #stopped = new AbortController();

  /**
   * @param machine the machine's network namespace, null without root
   * @param pid of this process on the machine
   * @param self how to start this program
   * @throws SystemError when the fabric cannot be built
   */
  constructor(plan: InnerPlan, progress: Progress, machine: Namespace | null, pid: number, self: SelfCommand) {
    this.#plan = plan;
    this.#progress = progress;
    this.#pid = pid;
    this.reader = new MeshFolderReader(plan.options.folders);
    this.folder = this.reader.read();
    this.fabric = new Fabric(machine);
    this.book = new AddressBook(this.fabric.subnet);
    this.#names = machine === null ? null : new NamespaceNames(pid, this.fabric.number);
    this.#fabricName = this.#names?.add("fabric", "fabric", Namespace.current("net").fd) ?? null; // open as long as we are
    const onEnd = (end: ProcessEnd) => this.#report(end);
    this.#settings = {
      stateFolder: plan.stateFolder,
      self: self.command,
      controllerAddress: `${this.book.bridge}:${CONTROLLER_PORT}`,
      trustBundleFile: join(plan.stateFolder, "trust-bundle.pem"),
      capture: {
        ...DEFAULT_PLAN,
        proxyUid: plan.root ? PROXY_UID : null,
        proxyMark: plan.root ? null : PROXY_MARK,
        skipOutboundBlocks: [this.book.bridge],
      },
      sidecarUid: plan.root ? PROXY_UID : null,
      startAsSidecarUser: self.forOthers,
      appUid: plan.appUid,
      accessLog: plan.options.accessLog,
      adminAllow: `${this.book.bridge}/32,${this.book.machine}/32`,
      onEnd,
    };
    const admin = `${this.book.bridge}:${CONTROLLER_ADMIN_PORT}`;
    const { controllerAddress } = this.#settings;
    this.#controller = new SupervisedProcess(controllerPlan(plan, self.command, controllerAddress, admin), onEnd);
  }

  /** Base of the controller's admin pages. */
  get controllerAdmin(): string {
    return `http://${this.book.bridge}:${CONTROLLER_ADMIN_PORT}`;
  }

  /** Starts everything. @returns false when a file cannot be read, there is nothing to run or the controller does not start */
  async start(): Promise<boolean> {
    const progress = this.#progress;
    const begin = performance.now();
    for (const problem of this.folder.problems) progress.warn(problem);
    const { refused } = this.folder;
    if (refused.length > 0) {
      progress.failed(
        `nothing is started: without ${refused.join(" and ")} its policies would be missing; correct it first`,
      );
      return false;
    }
    findMissing(this.folder.instances, this.missing, progress);
    if (!this.#assign()) return false;
    for (const instance of this.#wanted()) this.#open(instance);
    if (this.units.size === 0) {
      progress.failed(
        "nothing to run: found no ExternalWorkload with `run.command` in the folder (see tulle up --help)",
      );
      return false;
    }
    this.#writeFiles();
    const meshed = [...this.units.values()].filter((unit) => unit.sidecar !== null);
    progress.done(`${this.units.size} namespaces on ${this.fabric.subnet}.0/24, ${meshed.length} captured`, begin);

    const controllerBegin = performance.now();
    this.#controller.start();
    const reason = await waitUntilReady(`${this.controllerAdmin}/ready`, READY_TIMEOUT_MS, this.#stopped.signal);
    if (reason !== "") {
      if (this.#stopped.signal.aborted) return false;
      progress.failed(`controller is not ready: ${reason}`);
      showLog(progress, this.#controller.plan.logFile);
      return false;
    }
    copyFileSync(join(controllerFolder(this.#plan), "trust-bundle.pem"), this.#settings.trustBundleFile);
    progress.done("controller ready", controllerBegin);

    const sidecarsBegin = performance.now();
    const count = await startUnits([...this.units.values()], progress, this.#stopped.signal);
    if (this.#stopped.signal.aborted) return false;
    const text = `${count} of ${meshed.length} sidecars ready, ${this.units.size} apps started`;
    if (meshed.length === 0) progress.note("no workload has a sidecar");
    else if (count === meshed.length) progress.done(text, sidecarsBegin);
    else progress.warn(text);
    return true;
  }

  /** Looks for changes of the folder and follows them; keeps logs bounded. */
  async follow(): Promise<void> {
    for (const unit of this.units.values()) unit.boundLogs();
    boundLog(this.#controller.plan.logFile);
    if (!this.reader.changed()) return;
    this.folder = this.reader.read();
    for (const problem of this.folder.problems) this.#progress.warn(`${problem}; the last good content stays`);
    findMissing(this.folder.instances, this.missing, this.#progress);
    if (!this.#assign()) return;
    const wanted = new Map(this.#wanted().map((instance) => [instance.key, instance]));
    const leaving = [...this.units.values()].filter((unit) => {
      const next = wanted.get(unit.instance.key);
      return next?.fingerprint !== unit.instance.fingerprint || this.book.allOf(next.key).join() !== unit.ips.join();
    });
    for (const unit of leaving) this.units.delete(unit.instance.key);
    const coming = [...wanted.values()].filter((instance) => !this.units.has(instance.key));
    if (leaving.length > 0) this.#writeFiles(); // withdrawn before they end, so that nobody calls them
    await Promise.all(leaving.map((unit) => this.#close(unit)));
    for (const instance of coming) this.#open(instance);
    this.#writeFiles();
    for (const { instance } of leaving) this.#progress.note(`${instance.key} stopped: the folder has changed`);
    for (const { key } of coming) this.#progress.note(`${key} starts: the folder has changed`);
    const units = coming.map(({ key }) => this.units.get(key)).filter((unit) => unit !== undefined);
    void startUnits(units, this.#progress, this.#stopped.signal);
  }

  /** Metrics of all sidecars that answer. @param tries for each of them, of two seconds: on a busy machine one is soon too few */
  async scrape(tries = 1): Promise<Scrape[]> {
    const units = [...this.units.values()].filter((unit) => unit.sidecar !== null);
    const texts = await Promise.all(units.map((unit) => fetchText(`http://${unit.ip}:${ADMIN_PORT}/metrics`, tries)));
    return units.flatMap(({ instance }, i) => {
      const text = texts[i];
      if (text === null || text === undefined) return [];
      const workload = `${instance.namespace}/${instance.workload}`;
      return [{ key: instance.key, workload, samples: parsePrometheusText(text, isWanted) }];
    });
  }

  /** Apps first, then their sidecars, then the controller. @returns names of processes that had to be killed */
  async stop(): Promise<string[]> {
    this.#stopped.abort();
    const units = [...this.units.values()];
    const polite = await Promise.all(units.map((unit) => this.#close(unit)));
    const killed = units.filter((_, i) => !polite[i]).map((unit) => unit.instance.key);
    if (!await this.#controller.stop(CONTROLLER_GRACE_MS)) killed.push("controller");
    this.#names?.removeAll();
    this.fabric.close();
    return killed;
  }

  /** How to look inside from another terminal; null without root. */
  hint(): string | null {
    if (this.#fabricName === null) return null;
    const first = this.#names?.paths.at(-1) ?? "";
    return `in another terminal: ip netns exec ${first.slice(first.lastIndexOf("/") + 1)} …  enters a workload, ` +
      `ip netns exec ${this.#fabricName} tcpdump -i ${BRIDGE} port 4143  shows the wire`;
  }

  /** Lines about where each part can be looked at. */
  addresses(): string[] {
    const rows = [["controller", this.controllerAdmin]];
    for (const unit of this.units.values()) {
      const place = unit.sidecar === null ? `${unit.ip} (no sidecar)` : `http://${unit.ip}:${ADMIN_PORT}`;
      rows.push([unit.instance.key, place]);
    }
    const width = Math.max(...rows.map((row) => (row[0] ?? "").length));
    return rows.map(([name = "", place = ""]) => {
      const pages = place.startsWith("http") ? `${place}/metrics  ${place}/config` : place;
      return `  ${name.padEnd(width)}  ${pages}`;
    });
  }

  #wanted(): Instance[] {
    return this.folder.instances.filter((instance) => !this.missing.has(instance.key));
  }

  /** @returns false when there are not enough addresses, or one is wanted twice: it is said */
  #assign(): boolean {
    try {
      this.book.assign(this.folder);
      return true;
    } catch (error) {
      this.#progress.failed(errorText(error));
      return false;
    }
  }

  #open(instance: Instance): void {
    const unit = new WorkloadUnit(instance, this.book.allOf(instance.key), this.#settings);
    unit.open(this.fabric, hostsFile(instance, this.folder, this.book, this.missing));
    if (unit.place !== null) this.#names?.add(instance.key, instance.name, unit.place.net.fd);
    this.units.set(instance.key, unit);
  }

  async #close(unit: WorkloadUnit): Promise<boolean> {
    const polite = await unit.close(this.fabric);
    this.#names?.remove(unit.instance.key);
    return polite;
  }

  /** Tokens and addresses for the controller, hosts for the workloads, traces for the outer process. */
  #writeFiles(): void {
    const { stateFolder } = this.#plan;
    replaceFile(join(stateFolder, "tokens.json"), tokensFile([...this.units.values()]));
    replaceFile(join(stateFolder, "addresses.json"), this.book.toFile(this.missing));
    for (const unit of this.units.values()) {
      unit.writeHosts(hostsFile(unit.instance, this.folder, this.book, this.missing));
    }
    replaceFile(join(stateFolder, TRACES_FILE), JSON.stringify(this.#traces()));
    const controller = { address: this.#settings.controllerAddress, admin: this.controllerAdmin };
    const { root, options } = this.#plan;
    const run = {
      pid: this.#pid,
      root,
      controller,
      folders: options.folders.map((folder) => resolve(folder)),
      trustDomain: options.trustDomain,
    };
    const mesh = meshFile(run, [...this.units.values()], this.folder, this.book);
    replaceFile(join(stateFolder, "mesh.json"), mesh);
  }

  #traces(): Traces {
    return {
      pid: this.#pid,
      machineLink: this.fabric.machineLink,
      names: this.#names?.paths ?? [],
      namespaces: (this.#plan.root ? 3 : 4) + 2 * this.units.size, // network, mount, PID, user; network and mount each
      processes: 2 + [...this.units.values()].reduce((sum, unit) => sum + (unit.sidecar === null ? 1 : 2), 0),
    };
  }

  #report({ name, how, restartInMs, lastLines: lines }: ProcessEnd): void {
    this.#progress.warn(`${name} ended (${how}), starting again in ${restartInMs / 1000} s`);
    for (const line of lines) this.#progress.line(`    ${line}`);
  }
}
