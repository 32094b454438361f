/**
 * `tulle proxy`: builds the parts from the environment, starts them, and waits for the end. No logic of the data path.
 *
 *   Control (identity, discovery) ──▶ DataPath (listeners, policy, upstreams, metrics) ◀── admin
 *                                └──▶ WorkerPool, with TULLE_WORKERS above 1: more threads with a DataPath each
 */
import { createAdmin, type Readiness } from "../admin/admin.ts";
import { listenAdmin } from "../admin/listen.ts";
import { UsageError } from "../base/error.ts";
import type { Logger } from "../base/log.ts";
import { VERSION } from "../base/version.ts";
import { parseProxyConfig, type ProxyConfig } from "../config/proxy_config.ts";
import type { Identity } from "../identity/identity.ts";
import type { InboundPolicy } from "../model/inbound.ts";
import { dropPrivileges } from "../net/user.ts";
import { registerProcessMetrics } from "../telemetry/process_metrics.ts";
import { renderMetrics } from "../telemetry/render.ts";
import { TapHub } from "../telemetry/tap.ts";
import { DataPath } from "./data_path.ts";
import { Listeners } from "./listeners.ts";
import { MemoryTrimmer, RUNTIME } from "./memory.ts";
import { reportPath } from "./path_report.ts";
import { Control, type ControlUser } from "./run_control.ts";
import { processLog } from "./run_log.ts";
import { SWEEP_MS } from "./run_sweep.ts";
import type { WorkerPool } from "./run_workers/pool.ts";

/** Runs the proxy until it is told to end. @param argv arguments after "proxy" */
export async function runProxy(argv: string[]): Promise<void> {
  if (argv.includes("--help") || argv.includes("-h")) {
    return void process.stdout.write((await import("./run_help.ts")).proxyHelp());
  }
  if (argv[0] === "drain") return await (await import("./run_drain.ts")).runDrain(argv.slice(1));
  if (argv.length > 0) {
    throw new UsageError(`tulle proxy takes no arguments, found ${argv[0]}. See: tulle proxy --help`);
  }
  const parsed = parseProxyConfig(process.env);
  if (!parsed.ok) throw new UsageError(`the environment cannot be used:\n  ${parsed.errors.join("\n  ")}`);
  const config = parsed.value;
  const log = processLog(config.logLevel);
  for (const warning of parsed.warnings) log.warn(warning);
  const workers = config.workers === 1 ? null : await makePool(config, log);
  await new Runner(config, log, workers).run();
}

/** One thread needs none of this, and does not load it. */
async function makePool(config: ProxyConfig, log: Logger): Promise<WorkerPool> {
  const { WorkerPool } = await import("./run_workers/pool.ts");
  return new WorkerPool(config, log);
}

class Runner implements ControlUser {
  readonly #config: ProxyConfig;
  readonly #log: Logger;
  readonly #workers: WorkerPool | null;
  readonly #control: Control;
  readonly #listeners: Listeners;
  readonly #path: DataPath;
  #written: Promise<unknown> = Promise.resolve();
  #ended: () => void = () => {};

  /** @param workers further threads of the data path, null for none */
  constructor(config: ProxyConfig, log: Logger, workers: WorkerPool | null) {
    this.#config = config;
    this.#log = log;
    this.#workers = workers;
    this.#listeners = new Listeners({ mayBind: true, gate: workers?.gate ?? null });
    this.#control = new Control(config, log, () => this.#path.metrics.countUpdate("refused"), workers?.mirror ?? null);
    this.#path = new DataPath({
      config,
      log,
      listeners: this.#listeners,
      source: this.#control.source(),
      tap: new TapHub((isWatched) => workers?.tap(isWatched)),
      writeAccessLog: (text) => this.#writeAccessLog(text),
    });
    registerProcessMetrics(this.#path.metrics.registry);
  }

  /** Starts everything; resolves when the proxy has ended. */
  async run(): Promise<void> {
    const config = this.#config;
    const { proxy } = this.#path;
    const done = new Promise<void>((resolve) => this.#ended = resolve);
    const admin = listenAdmin(this.#adminServer(), config.adminAddress);
    proxy.start();
    if (config.uid !== null) dropPrivileges(config.uid);
    if (config.capture === "required") proxy.selfTest.start();
    this.#workers?.start({
      control: this.#control,
      path: this.#path,
      listeners: this.#listeners,
      writeAccessLog: (text) => this.#writeAccessLog(text),
    });
    this.#control.start(this, this.#path.metrics);
    const trimmer = new MemoryTrimmer({ ...RUNTIME, trim: () => this.#trim() });
    const endTrim = trimmer.start();
    const sweep = setInterval(() => {
      this.#path.sweep();
      trimmer.look();
    }, SWEEP_MS);
    process.on("SIGTERM", () => this.#shutdown("SIGTERM"));
    process.on("SIGINT", () => this.#shutdown("SIGINT"));
    this.#log.info("proxy started", {
      workload: `${config.workloadNamespace}/${config.workloadName}`,
      version: VERSION,
    });
    await done;
    clearInterval(sweep);
    endTrim();
    this.#control.stop();
    await this.#path.close();
    admin.stop();
    process.exit(0);
  }

  // --- ControlUser

  useIdentity(identity: Identity): void {
    this.#path.useIdentity(identity);
    this.#workers?.useIdentity(identity);
  }

  usePolicy(policy: InboundPolicy): void {
    this.#path.proxy.usePolicy(policy); // workers get it from the mirror
  }

  // --- admin

  /** Loaded when a kubelet first asks: most workloads have no such probe. */
  async #probe(index: number): Promise<string | null> {
    const probe = this.#config.probes[index];
    const host = this.#config.workloadAddresses[0];
    if (probe === undefined || host === undefined) return null;
    const { askApplication } = await import("../admin/app_probe.ts");
    return await askApplication(probe, host);
  }

  #adminServer() {
    return createAdmin({
      renderMetrics: async () => renderMetrics(await this.#workers?.metrics() ?? this.#path.metrics.registry),
      isReady: () => this.#readiness(),
      configDump: () => this.#configDump(),
      probe: (index) => this.#probe(index),
      subscribeTap: (watcher) => this.#path.tap.subscribe(watcher),
      drain: () => this.#drain(),
      shutdown: () => this.#shutdown("POST /shutdown"),
      allow: this.#config.adminAllow,
    });
  }

  #readiness(): Readiness {
    const { proxy } = this.#path;
    const reasons = [...this.#control.missing(), ...this.#workers?.missing() ?? []];
    if (proxy.isDraining) reasons.push("draining");
    if (this.#config.capture === "required" && !proxy.selfTest.passed) {
      reasons.push(
        "capture does not work: a connection of the proxy's own was not redirected; are the rules of table inet tulle there?",
      );
    }
    if (this.#control.identity.current() !== null && !proxy.meshIsOpen) reasons.push("mesh listener is not open");
    return { ready: reasons.length === 0, reasons };
  }

  async #configDump(): Promise<unknown> {
    const { proxy } = this.#path;
    const { configDump } = await import("./config_dump.ts");
    return configDump({
      config: this.#config,
      identity: this.#control.identity,
      discovery: this.#control.discovery,
      draining: proxy.isDraining,
      paths: [reportPath(proxy), ...await this.#workers?.reports() ?? []],
    });
  }

  // --- end

  #drain(): void {
    if (!this.#path.proxy.isDraining) void this.#drained().then(() => this.#log.info("drained"));
  }

  /** Has all threads drain; resolves when the last connection has ended. */
  async #drained(): Promise<void> {
    const own = new Promise<void>((resolve) => this.#path.proxy.drain(resolve));
    await Promise.all([own, this.#workers?.drain()]);
  }

  /** Drains, then ends; connections that outlive the grace are cut off and counted. */
  #shutdown(why: string): void {
    this.#log.info("shutting down", {
      why,
      connections: this.#path.proxy.live.size + (this.#workers?.connections ?? 0),
    });
    const deadline = setTimeout(() => void this.#cutOff(), this.#config.drainGraceMs);
    void this.#drained().then(async () => {
      clearTimeout(deadline);
      await this.#workers?.end("drain_deadline");
      // What was written last must still leave.
      setTimeout(this.#ended, 20);
    });
  }

  async #cutOff(): Promise<void> {
    const own = this.#path.cutOff("drain_deadline");
    const others = await this.#workers?.end("drain_deadline") ?? 0;
    this.#log.warn("connections cut off at the end of the drain", { connections: own + others });
    this.#ended();
  }

  #trim(): void {
    RUNTIME.trim();
    this.#workers?.trim();
  }

  /** One write at a time, also of several threads: lines must not mix. */
  #writeAccessLog(text: string): Promise<unknown> {
    const write = () => Bun.write(Bun.stdout, text);
    return this.#written = this.#written.then(write, write);
  }
}
