/** One run of a folder: controller, workloads and their sidecars, following the folder's changes. */
import { copyFileSync, renameSync } from "node:fs";
import { join, resolve } from "node:path";
import { DEFAULT_PLAN, PROXY_MARK, PROXY_UID } from "../../../src/capture/capture_plan.ts";
import { Namespace } from "../../../src/capture/namespace.ts";
import { AddressBook, serviceKey } from "./address_book.ts";
import { BRIDGE, Fabric } from "./fabric.ts";
import { hostsFile } from "./hosts_file.ts";
import { type Instance, type MeshFolder, MeshFolderReader } from "./mesh_folder.ts";
import type { Scrape } from "./mesh_stats.ts";
import { isWanted } from "./mesh_stats.ts";
import { NamespaceNames } from "./namespace_names.ts";
import { type InnerPlan, type Traces, TRACES_FILE } from "./plan.ts";
import { fetchText, waitUntilReady } from "./probe.ts";
import type { Progress } from "./progress.ts";
import { parsePrometheusText } from "./prometheus_text.ts";
import type { SelfCommand } from "./self_binary.ts";
import { boundLog, lastLines, privateFile, privateFolder } from "./state_folder.ts";
import { type ProcessEnd, SupervisedProcess } from "./supervised_process.ts";
import { ADMIN_PORT, type UnitSettings, WorkloadUnit } from "./workload_unit.ts";

const CONTROLLER_PORT = 8086;
const CONTROLLER_ADMIN_PORT = 9990;
/** A part that is not ready by then is reported; the run goes on, as it may become so. */
const READY_TIMEOUT_MS = 20_000;
/** Nothing depends on it any more when it is told to end. */
const CONTROLLER_GRACE_MS = 5_000;
/** Log lines shown of a part that does not start. */
const SHOWN_LINES = 12;

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
    this.#controller = this.#newController(self.command, onEnd);
  }

  /** Base of the controller's admin pages. */
  get controllerAdmin(): string {
    return `http://${this.book.bridge}:${CONTROLLER_ADMIN_PORT}`;
  }

  /** Starts everything. @returns false when there is nothing to run or the controller does not start */
  async start(): Promise<boolean> {
    const progress = this.#progress;
    const begin = performance.now();
    for (const problem of this.folder.problems) progress.warn(problem);
    this.#findMissing();
    this.book.assign(this.folder);
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
      this.#showLog(this.#controller.plan.logFile);
      return false;
    }
    copyFileSync(join(this.#controllerFolder, "trust-bundle.pem"), this.#settings.trustBundleFile);
    progress.done("controller ready", controllerBegin);

    const sidecarsBegin = performance.now();
    const ready = await Promise.all([...this.units.values()].map((unit) => this.#run(unit)));
    const count = ready.filter((each) => each).length - (this.units.size - meshed.length);
    const text = `${count} of ${meshed.length} sidecars ready`;
    if (meshed.length === 0) progress.note("no workload has a sidecar");
    else if (count === meshed.length) progress.done(text, sidecarsBegin);
    else progress.warn(text);
    return !this.#stopped.signal.aborted;
  }

  /** Looks for changes of the folder and follows them; keeps logs bounded. */
  async follow(): Promise<void> {
    for (const unit of this.units.values()) unit.boundLogs();
    boundLog(this.#controller.plan.logFile);
    if (!this.reader.changed()) return;
    this.folder = this.reader.read();
    for (const problem of this.folder.problems) this.#progress.warn(`${problem}; the last good content stays`);
    this.#findMissing();
    this.book.assign(this.folder);
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
    void Promise.all(units.map((unit) => this.#run(unit)));
  }

  /** Metrics of all sidecars that answer. */
  async scrape(): Promise<Scrape[]> {
    const units = [...this.units.values()].filter((unit) => unit.sidecar !== null);
    const texts = await Promise.all(units.map((unit) => fetchText(`http://${unit.ip}:${ADMIN_PORT}/metrics`)));
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

  get #controllerFolder(): string {
    return join(this.#plan.stateFolder, "controller");
  }

  #newController(self: readonly string[], onEnd: (end: ProcessEnd) => void): SupervisedProcess {
    const { stateFolder, options } = this.#plan;
    privateFolder(this.#controllerFolder, null);
    const command = [...self, "controller"];
    for (const folder of options.folders) command.push("--config-dir", resolve(folder));
    command.push("--listen", this.#settings.controllerAddress);
    command.push("--admin", `${this.book.bridge}:${CONTROLLER_ADMIN_PORT}`);
    command.push("--state-dir", this.#controllerFolder, "--trust-domain", options.trustDomain);
    command.push("--tokens", join(stateFolder, "tokens.json"), "--addresses", join(stateFolder, "addresses.json"));
    if (options.leafLifetime !== null) command.push("--leaf-lifetime", options.leafLifetime);
    return new SupervisedProcess({
      name: "controller",
      command,
      workingDir: "/",
      env: { PATH: process.env["PATH"] ?? "/usr/bin:/bin", HOME: process.env["HOME"] ?? "/" },
      logFile: join(stateFolder, "controller.log"),
      uid: null,
      inside: (work) => work(),
    }, onEnd);
  }

  #wanted(): Instance[] {
    return this.folder.instances.filter((instance) => !this.missing.has(instance.key));
  }

  /** Programs that are not installed: an optional workload is left out, another one is reported and tried all the same. */
  #findMissing(): void {
    const known = new Set(this.missing);
    this.missing.clear();
    for (const { key, command, env, workingDir, optional } of this.folder.instances) {
      const program = command[0] ?? "";
      const PATH = env["PATH"] ?? process.env["PATH"] ?? "";
      if (Bun.which(program, { PATH, cwd: workingDir }) !== null) continue;
      if (optional) this.missing.add(key);
      if (known.has(key)) continue;
      const what = `${key}: the program ${program} is not installed`;
      if (optional) this.#progress.note(`${what}; going on without it (it is marked optional)`);
      else this.#progress.warn(what);
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

  /** Sidecar, and the app once it is ready. @returns whether it was ready in time */
  async #run(unit: WorkloadUnit): Promise<boolean> {
    let reason = "";
    if (unit.sidecar !== null) {
      unit.sidecar.start();
      const { signal } = this.#stopped;
      reason = await waitUntilReady(`http://${unit.ip}:${ADMIN_PORT}/ready`, READY_TIMEOUT_MS, signal);
    }
    if (this.#stopped.signal.aborted || this.units.get(unit.instance.key) !== unit) return false;
    if (reason !== "") {
      this.#progress.failed(
        `${unit.instance.key}: the sidecar is not ready after ${READY_TIMEOUT_MS / 1000} s: ${reason}`,
      );
      this.#showLog(unit.sidecarLog);
    }
    unit.app.start();
    return reason === "";
  }

  /** Tokens and addresses for the controller, hosts for the workloads, traces for the outer process. */
  #writeFiles(): void {
    const { stateFolder } = this.#plan;
    const tokens: Record<string, object> = {};
    for (const { instance, tokenHash } of this.units.values()) {
      if (!instance.meshed) continue;
      const { namespace, serviceAccount, name } = instance;
      tokens[tokenHash] = { namespace, serviceAccount, workload: name };
    }
    replaceFile(join(stateFolder, "tokens.json"), `${JSON.stringify(tokens, null, 2)}\n`);
    replaceFile(join(stateFolder, "addresses.json"), this.book.toFile(this.missing));
    for (const unit of this.units.values()) {
      unit.writeHosts(hostsFile(unit.instance, this.folder, this.book, this.missing));
    }
    replaceFile(join(stateFolder, TRACES_FILE), JSON.stringify(this.#traces()));
    replaceFile(join(stateFolder, "mesh.json"), `${JSON.stringify(this.#mesh(), null, 2)}\n`);
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

  /** What other commands need to find the parts. */
  #mesh(): object {
    return {
      pid: this.#pid,
      root: this.#plan.root,
      controller: { address: this.#settings.controllerAddress, admin: this.controllerAdmin },
      workloads: [...this.units.values()].map(({ instance, ip, ips, sidecar }) => ({
        namespace: instance.namespace,
        name: instance.name,
        workload: instance.workload,
        addresses: ips,
        admin: sidecar === null ? null : `http://${ip}:${ADMIN_PORT}`,
      })),
      services: this.folder.services.map((service) => ({
        name: serviceKey(service),
        address: this.book.service(service),
      })),
    };
  }

  #report({ name, how, restartInMs, lastLines: lines }: ProcessEnd): void {
    this.#progress.warn(`${name} ended (${how}), starting again in ${restartInMs / 1000} s`);
    for (const line of lines) this.#progress.line(`    ${line}`);
  }

  #showLog(file: string): void {
    for (const line of lastLines(file, SHOWN_LINES)) this.#progress.line(`    ${line}`);
    this.#progress.line(`    (log: ${file})`);
  }
}

/** A reader never sees half of it. */
function replaceFile(file: string, text: string): void {
  privateFile(`${file}.new`, text, null);
  renameSync(`${file}.new`, file);
}
