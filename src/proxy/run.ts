/** `tulle proxy`: builds the parts from the environment, starts them, and waits for the end. No logic of the data path. */
import { readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { createAdmin } from "../admin/admin.ts";
import { type AdminServer, listenAdmin } from "../admin/listen.ts";
import { UsageError } from "../base/error.ts";
import { createLogger, type Logger } from "../base/log.ts";
import { VERSION } from "../base/version.ts";
import { parseProxyConfig, type ProxyConfig, proxyConfigHelp } from "../config/proxy_config.ts";
import { Discovery } from "../discovery/discovery.ts";
import { identityTransport } from "../discovery/identity_transport.ts";
import { ControllerClient } from "../discovery/rpc/client.ts";
import { savedIdentity } from "../identity/saved.ts";
import { IdentityStore } from "../identity/store.ts";
import { verifyPeer } from "../identity/verify.ts";
import { isControllerId } from "../model/spiffe_id.ts";
import { reportOpenConnections } from "../net/connection_stats.ts";
import { onSocketBug, type RawSocket, setDialMark } from "../net/socket.ts";
import { dropPrivileges } from "../net/user.ts";
import { AccessLog } from "../telemetry/access_log.ts";
import { registerProcessMetrics } from "../telemetry/process_metrics.ts";
import { ProxyMetrics } from "../telemetry/proxy_metrics.ts";
import { renderMetrics } from "../telemetry/render.ts";
import { TapHub } from "../telemetry/tap.ts";
import { BalancerMetrics } from "./balancer_metrics.ts";
import { configDump } from "./config_dump.ts";
import { Credentials } from "./credentials.ts";
import { EventSink } from "./events.ts";
import { InboundMetrics } from "./inbound_metrics.ts";
import { OutboundMetrics } from "./outbound_metrics.ts";
import { MemoryTrimmer, RUNTIME } from "./memory.ts";
import { Proxy } from "./proxy.ts";

/** How often idle targets and idle memory are looked for. */
const SWEEP_MS = 30_000;

const HELP = `Run the sidecar proxy of one workload.

Usage: tulle proxy

It is configured by its environment; \`tulle up\` and the injector set it. Ports: 4140 takes what the workload sends,
4143 mutual TLS from other sidecars, 4145 what others send, 4191 /metrics /ready /live /config /tap.

Environment:
${proxyConfigHelp()}

Example, beside a service on this machine that needs no capture:
  TULLE_WORKLOAD_NAMESPACE=shop TULLE_WORKLOAD_NAME=front-0 TULLE_WORKLOAD_ADDRESSES=127.0.0.2 \\
  TULLE_CONTROLLER_ADDRESS=127.0.0.1:8086 TULLE_TRUST_BUNDLE_FILE=$PWD/state/trust-bundle.pem \\
  TULLE_TOKEN_FILE=$PWD/token \\
  TULLE_OUTBOUND_FORWARDS=127.0.0.1:9000=10.96.0.10:80 tulle proxy
`;

/** Runs the proxy until it is told to end. @param argv arguments after "proxy" */
export async function runProxy(argv: string[]): Promise<void> {
  if (argv.includes("--help") || argv.includes("-h")) return void process.stdout.write(HELP);
  if (argv.length > 0) {
    throw new UsageError(`tulle proxy takes no arguments, found ${argv[0]}. See: tulle proxy --help`);
  }
  const parsed = parseProxyConfig(process.env);
  if (!parsed.ok) throw new UsageError(`the environment cannot be used:\n  ${parsed.errors.join("\n  ")}`);
  const config = parsed.value;
  const log = createLogger({
    level: config.logLevel,
    write: writeLog,
    now: () => Date.now(),
  });
  for (const warning of parsed.warnings) log.warn(warning);
  if (config.dialMark !== null) setDialMark(config.dialMark);
  onSocketBug((error) =>
    log.error("a connection was ended by a bug of the proxy", { error: error.stack ?? error.message })
  );
  await new Runner(config, log).run();
}

class Runner {
  readonly #config: ProxyConfig;
  readonly #log: Logger;
  readonly #metrics = new ProxyMetrics(() => performance.now());
  readonly #tap = new TapHub();
  readonly #accessLog: AccessLog | null;
  readonly #credentials = new Credentials(() => Date.now());
  readonly #identity: IdentityStore;
  readonly #discovery: Discovery;
  readonly #client: ControllerClient;
  readonly #proxy: Proxy;
  readonly #balancers: BalancerMetrics;
  #seenOk = 0;
  #seenErrors = 0;
  #admin: AdminServer | null = null;
  #ended: () => void = () => {};

  constructor(config: ProxyConfig, log: Logger) {
    this.#config = config;
    this.#log = log;
    const metrics = this.#metrics;
    this.#accessLog = config.accessLog === "off" ? null : new AccessLog({
      write: (text) => Bun.write(Bun.stdout, text),
      now: () => Date.now(),
      onDrop: () => metrics.accessLogDropped.add(1),
    });
    const events = new EventSink(this.#accessLog, this.#tap);
    const saved = config.stateDir === null
      ? null
      : savedIdentity(join(config.stateDir, "identity.json"), (error) =>
        log.warn("cannot keep the identity", { error: String(error) }));
    this.#identity = new IdentityStore({
      readToken: async () => readFileSync(config.tokenFile, "utf8"),
      now: () => Date.now(),
      random: Math.random,
      saved,
    });
    this.#client = new ControllerClient({
      host: config.controllerAddress.host,
      port: config.controllerAddress.port,
      mountedRoots: () => readFileSync(config.trustBundleFile, "utf8"),
      credentials: () => this.#identity.current(),
      verify: verifyController,
    });
    this.#discovery = new Discovery({
      client: this.#client,
      workload: { namespace: config.workloadNamespace, name: config.workloadName },
      proxyVersion: VERSION,
      stateDir: config.stateDir,
      random: Math.random,
      onProblem: (what, detail) => {
        metrics.countUpdate("refused");
        log.warn(what, { detail });
      },
    });
    this.#proxy = new Proxy({
      settings: {
        outbound: config.outboundAddress,
        mesh: config.meshAddress,
        inbound: config.inboundAddress,
        adminPort: config.adminAddress.port,
        forwards: config.outboundForwards,
        addresses: config.workloadAddresses,
      },
      source: this.#source(),
      credentials: this.#credentials,
      outboundMetrics: new OutboundMetrics(metrics, events, log),
      inboundMetrics: new InboundMetrics(metrics, events, log),
      clock: () => performance.now(),
      random: Math.random,
    });
    this.#balancers = new BalancerMetrics(metrics, this.#proxy.upstreams);
    registerProcessMetrics(metrics.registry);
    metrics.registry.onCollect(reportOpenConnections);
    metrics.registry.onCollect(() => this.#collect());
  }

  /** Starts everything; resolves when the proxy has ended. */
  async run(): Promise<void> {
    const config = this.#config;
    const done = new Promise<void>((resolve) => this.#ended = resolve);
    this.#admin = listenAdmin(this.#adminServer(), config.adminAddress);
    this.#proxy.start();
    if (config.uid !== null) dropPrivileges(config.uid);
    if (config.capture === "required") this.#proxy.selfTest.start();
    this.#identity.onChange((identity) => {
      this.#credentials.use(identity);
      this.#presentIdentity();
      this.#discovery.credentialsChanged();
      this.#metrics.certExpirationSeconds.set(identity.notAfterMs / 1000);
      this.#metrics.certRefreshSeconds.set(Math.floor(Date.now() / 1000));
      this.#log.debug("certificate in force", {
        spiffe_id: identity.spiffeId,
        not_after: new Date(identity.notAfterMs).toISOString(),
      });
    });
    this.#discovery.onInbound((policy) => {
      this.#metrics.countUpdate("applied");
      this.#proxy.usePolicy(policy);
    });
    this.#identity.start(identityTransport(this.#client));
    this.#discovery.start();
    const trimmer = new MemoryTrimmer(RUNTIME);
    const endTrim = trimmer.start();
    const sweep = setInterval(() => {
      this.#proxy.targets.sweep(performance.now());
      this.#presentIdentity();
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
    this.#discovery.stop();
    this.#identity.stop();
    this.#proxy.close();
    await this.#accessLog?.flush();
    await this.#admin.stop();
    process.exit(0);
  }

  /** The certificate in force goes to the mesh listener; where that fails, the next sweep tries again. */
  #presentIdentity(): void {
    if (!this.#proxy.startMesh()) {
      this.#log.warn("the mesh listener keeps the certificate before: no descriptor is left (ulimit -n)");
    }
  }

  #source() {
    const table = this.#discovery;
    return {
      async discover(key: string, timeoutMs: number) {
        const found = await table.want(key, timeoutMs);
        return "kind" in found ? `${found.code}: ${found.detail}` : found;
      },
      follow: (key: string, listener: Parameters<Discovery["onChange"]>[1]) => table.onChange(key, listener),
    };
  }

  /** Brings what other parts count up to date for a scrape. */
  #collect(): void {
    const { refreshOk, refreshError } = this.#identity.report();
    for (; this.#seenOk < refreshOk; this.#seenOk++) this.#metrics.countCertRefresh("ok");
    for (; this.#seenErrors < refreshError; this.#seenErrors++) this.#metrics.countCertRefresh("error");
    this.#metrics.controllerConnected.set(this.#discovery.isConnected ? 1 : 0);
    this.#balancers.collect(this.#proxy.targets.all());
  }

  #adminServer() {
    return createAdmin({
      renderMetrics: () => renderMetrics(this.#metrics.registry),
      isReady: () => this.#readiness(),
      configDump: () => configDump(this.#config, this.#proxy, this.#identity, this.#discovery),
      subscribeTap: (watcher) => this.#tap.subscribe(watcher),
      drain: () => this.#drain(),
      shutdown: () => this.#shutdown("POST /shutdown"),
      allow: this.#config.adminAllow,
    });
  }

  #readiness(): { readonly ready: boolean; readonly reasons: readonly string[] } {
    const reasons = [...this.#discovery.ready().reasons];
    if (this.#proxy.isDraining) reasons.push("draining");
    if (this.#config.capture === "required" && !this.#proxy.selfTest.passed) {
      reasons.push(
        "capture does not work: a connection of the proxy's own was not redirected; are the rules of table inet tulle there?",
      );
    }
    if (this.#identity.current() === null) {
      const { lastError } = this.#identity.report();
      reasons.push(lastError === "" ? "no certificate yet" : `no certificate yet: ${lastError}`);
    } else if (!this.#proxy.meshIsOpen) reasons.push("mesh listener is not open");
    return { ready: reasons.length === 0, reasons };
  }

  #drain(): void {
    if (!this.#proxy.isDraining) this.#proxy.drain(() => this.#log.info("drained"));
  }

  /** Drains, then ends; connections that outlive the grace are cut off and counted. */
  #shutdown(why: string): void {
    this.#log.info("shutting down", { why, connections: this.#proxy.live.size });
    const deadline = setTimeout(() => {
      for (let i = 0; i < this.#proxy.live.size; i++) this.#metrics.countForcedClose("drain_deadline");
      this.#log.warn("connections cut off at the end of the drain", { connections: this.#proxy.live.size });
      this.#ended();
    }, this.#config.drainGraceMs);
    this.#proxy.drain(() => {
      clearTimeout(deadline);
      // What was written last must still leave.
      setTimeout(this.#ended, 20);
    });
  }
}

/** `process.stderr` would load the runtime's streams, 3.5 MB of memory, for a few lines a day. */
function writeLog(line: string): void {
  try {
    writeSync(2, line);
  } catch {
    // Nobody reads the log any more; that is no reason to end.
  }
}

/** Says "" when the peer is the controller. */
function verifyController(socket: unknown, ok: boolean, error: Error | null): string {
  const peer = verifyPeer(socket as RawSocket, ok, error, { nowMs: Date.now(), expected: isControllerId });
  return peer.ok ? "" : peer.reason;
}
