/**
 * `tulle proxy`: builds the parts from the environment, starts them, and waits for the end. No logic of the data path.
 *
 *   Control (identity, discovery) ──▶ Serving: DataPath (listeners, policy, upstreams, metrics), admin
 *                                        └── WorkerPool, with TULLE_WORKERS above 1: more threads with a DataPath each
 *   Takeover (sockets of the process before) ──▶ …this one… ──▶ UpgradeDesk (sockets for the process after)
 */
import type { AdminDeps, Readiness, UpgradeAnswer, UpgradeAsked } from "../../admin/admin.ts";
import { errorText, UsageError } from "../../base/error.ts";
import type { Logger } from "../../base/log.ts";
import { VERSION } from "../../base/version.ts";
import { parseProxyConfig, type ProxyConfig } from "../../config/proxy_config.ts";
import { setMemory } from "../../net/threads.ts";
import { dropPrivileges } from "../../net/user.ts";
import { memoryLimit } from "../../os/memory_limit.ts";
import { renderMetrics } from "../../telemetry/render.ts";
import { collectGaps, MemoryTrimmer, RUNTIME } from "./memory.ts";
import { Control } from "./control.ts";
import { processLog } from "./log.ts";
import { Serving } from "./serving.ts";
import { SWEEP_MS } from "./sweep.ts";
import type { UpgradeDesk } from "./upgrade/desk.ts";
import { INHERITED, parseInherited } from "./upgrade/messages.ts";
import type { Takeover } from "./upgrade/takeover.ts";
import type { WorkerPool } from "./workers/pool.ts";

/** Runs the proxy until it is told to end. @param argv arguments after "proxy" */
export async function runProxy(argv: string[]): Promise<void> {
  const [command, ...rest] = argv;
  if (command === "--help" || command === "-h") {
    return void process.stdout.write((await import("./help.ts")).proxyHelp());
  }
  if (command === "drain") return await (await import("./drain.ts")).runDrain(rest);
  if (command === "upgrade") return await (await import("./upgrade/command.ts")).runUpgrade(rest);
  if (command !== undefined) {
    throw new UsageError(`tulle proxy takes no arguments, found ${command}. See: tulle proxy --help`);
  }
  collectGaps(); // of loading
  const inherited = process.env[INHERITED];
  delete process.env[INHERITED]; // not for the processes after this one
  const parsed = parseProxyConfig(process.env);
  if (!parsed.ok) throw new UsageError(`the environment cannot be used:\n  ${parsed.errors.join("\n  ")}`);
  const config = parsed.value;
  const log = processLog(config.logLevel);
  setMemory(memoryLimit());
  for (const warning of parsed.warnings) log.warn(warning);
  const workers = config.workers === 1 ? null : await makePool(config, log);
  await new Runner(config, log, workers).run(inherited);
}

/** One thread needs none of this, and does not load it. */
async function makePool(config: ProxyConfig, log: Logger): Promise<WorkerPool> {
  const { WorkerPool } = await import("./workers/pool.ts");
  return new WorkerPool(config, log);
}

class Runner {
  readonly #config: ProxyConfig;
  readonly #log: Logger;
  /** What started this process: looked up now, since the file may be replaced later. */
  readonly #command = [process.execPath, ...(Bun.main.startsWith(IN_BINARY) ? [] : [Bun.main]), "proxy"];
  readonly #control: Control;
  readonly #serving: Serving;
  #takeover: Takeover | null = null;
  #desk: UpgradeDesk | null = null;
  #ended: () => void = () => {};

  /** @param workers further threads of the data path, null for none */
  constructor(config: ProxyConfig, log: Logger, workers: WorkerPool | null) {
    this.#config = config;
    this.#log = log;
    const onRefused = () => this.#serving.path.metrics.countUpdate("refused");
    this.#control = new Control(config, log, onRefused, workers?.mirror ?? null);
    this.#serving = new Serving(config, log, this.#control, workers);
    this.#serving.setAdmin(this.#adminDeps());
  }

  /** Starts everything; resolves when the proxy has ended. @param inherited see upgrade/messages.ts */
  async run(inherited: string | undefined): Promise<void> {
    const config = this.#config;
    const serving = this.#serving;
    const done = new Promise<void>((resolve) => this.#ended = resolve);
    process.on("SIGTERM", () => this.#shutdown("SIGTERM"));
    process.on("SIGINT", () => this.#shutdown("SIGINT"));
    process.on("SIGUSR2", () => void this.#upgrade({ binary: null, timeoutMs: UPGRADE_MS, proof: null }));
    if (inherited === undefined) serving.open();
    else serving.hold();
    if (config.uid !== null) dropPrivileges(config.uid);
    if (inherited === undefined) await serving.openDns(false);
    const { selfTest } = serving.path.proxy;
    if (config.capture === "required") selfTest.start();
    collectGaps(); // of building the parts
    serving.startWorkers();
    this.#control.start(serving, serving.path.metrics);
    if (inherited !== undefined) await this.#takeOver(inherited);
    const trimmer = new MemoryTrimmer({ ...RUNTIME, trim: () => this.#trim() });
    const endTrim = trimmer.start();
    const sweep = setInterval(() => {
      serving.sweep();
      trimmer.look();
    }, SWEEP_MS);
    this.#log.info("proxy started", {
      workload: `${config.workloadNamespace}/${config.workloadName}`,
      version: VERSION,
    });
    await done;
    clearInterval(sweep);
    endTrim();
    await serving.close();
    process.exit(0);
  }

  // --- admin

  #adminDeps(): AdminDeps {
    return {
      renderMetrics: async () => renderMetrics(await this.#serving.metrics()),
      isReady: () => this.#readiness(),
      configDump: () => this.#configDump(),
      flows: async () => ({
        workload: `${this.#config.workloadNamespace}/${this.#config.workloadName}`,
        threads: (await this.#serving.reports()).map(({ flows }) => flows),
      }),
      probe: (index) => this.#probe(index),
      subscribeTap: (watcher) => this.#serving.path.tap.subscribe(watcher),
      drain: () => this.#drain(),
      shutdown: () => this.#shutdown("POST /shutdown"),
      upgrade: (asked) => this.#upgrade(asked),
      allow: this.#config.adminAllow,
    };
  }

  #readiness(): Readiness {
    const reasons = [...this.#control.missing(), ...this.#serving.missing()];
    if (this.#serving.path.proxy.isDraining) reasons.push("draining");
    return { ready: reasons.length === 0, reasons };
  }

  async #configDump(): Promise<unknown> {
    const { configDump } = await import("../config_dump.ts");
    return configDump({
      config: this.#config,
      identity: this.#control.identity,
      discovery: this.#control.discovery,
      draining: this.#serving.path.proxy.isDraining,
      paths: await this.#serving.reports(),
    });
  }

  /** Loaded when a kubelet first asks: most workloads have no such probe. */
  async #probe(index: number): Promise<string | null> {
    const probe = this.#config.probes[index];
    const host = this.#config.workloadAddresses[0];
    if (probe === undefined || host === undefined) return null;
    const { askApplication } = await import("../../admin/app_probe.ts");
    return await askApplication(probe, host);
  }

  // --- upgrade

  /** Takes the sockets of the process before, once everything else is there. */
  async #takeOver(text: string): Promise<void> {
    const { Takeover } = await import("./upgrade/takeover.ts");
    const serving = this.#serving;
    try {
      const inherited = parseInherited(text);
      const takeover = new Takeover(inherited, this.#log, () => void this.#standDown());
      this.#takeover = takeover;
      if (inherited.captureWorks) serving.path.proxy.selfTest.pass();
      await takeover.whenNothing(() => this.#control.missing());
      serving.takeBack(inherited.sockets);
      await takeover.whenNothing(() => serving.missing());
      takeover.serving();
    } catch (error) {
      this.#log.error("the place of the process before cannot be taken", { error: errorText(error) });
      this.#takeover?.failed(errorText(error));
      await Bun.sleep(LAST_WORDS_MS);
      process.exit(1);
    }
  }

  async #upgrade(asked: UpgradeAsked): Promise<UpgradeAnswer> {
    return await (await this.#upgradeDesk()).ask(asked);
  }

  async #standDown(): Promise<void> {
    (await this.#upgradeDesk()).upgrade.standDown();
  }

  /** Loaded when one is asked for. */
  async #upgradeDesk(): Promise<UpgradeDesk> {
    const { UpgradeDesk } = await import("./upgrade/desk.ts");
    const { keepPid, upgradeGraceMs: graceMs } = this.#config;
    const standsIn = this.#takeover?.standsIn ?? false;
    const keepsPid = !standsIn && (keepPid === "always" || (keepPid === "auto" && process.pid === 1));
    const children = () => this.#takeover?.children ?? [];
    const onReplaced = () => this.#takeover?.replaced();
    const parts = { proxy: this.#serving, log: this.#log, command: this.#command };
    const options = { ...parts, graceMs, keepsPid, children, onReplaced };
    return this.#desk ??= new UpgradeDesk(options, () => this.#upgradeRefusal());
  }

  #upgradeRefusal(): string {
    if (this.#serving.path.proxy.isDraining) return "this proxy is shutting down";
    if (this.#takeover?.standsIn !== true) return "";
    return "the upgrade before is not over: this process only stands in until the one before has finished";
  }

  // --- end

  #drain(): void {
    if (!this.#serving.path.proxy.isDraining) void this.#serving.drain().then(() => this.#log.info("drained"));
  }

  /** Drains, then ends; connections that outlive the grace are cut off and counted. */
  #shutdown(why: string): void {
    const serving = this.#serving;
    this.#log.info("shutting down", { why, connections: serving.connections });
    const successor = this.#desk?.upgrade.terminate();
    let isCutOff = false;
    const deadline = setTimeout(async () => {
      isCutOff = true;
      const connections = await serving.cutOff("drain_deadline");
      this.#log.warn("connections cut off at the end of the drain", { connections });
      await successor;
      this.#ended();
    }, this.#config.drainGraceMs);
    void serving.drain().then(async () => {
      if (isCutOff) return;
      clearTimeout(deadline);
      await successor;
      // What was written last must still leave.
      setTimeout(this.#ended, 20);
    });
  }

  #trim(): void {
    RUNTIME.trim();
    this.#serving.trimWorkers();
  }
}

/** How long a successor may take that a signal has asked for. */
const UPGRADE_MS = 60_000;
/** Time for a line to leave before the process ends. */
const LAST_WORDS_MS = 50;
/** Where the sources are in a compiled binary. */
const IN_BINARY = "/$bunfs/";
