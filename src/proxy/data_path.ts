/** The data path of one thread with all that it counts and reports: the main thread has one, and each worker. */
import type { ProxyConfig } from "../config/proxy_config.ts";
import { LOST_LINES } from "../base/line_queue.ts";
import type { Logger } from "../base/log.ts";
import type { Identity } from "../identity/identity.ts";
import { waitingBudget } from "../http/waiting_budget.ts";
import { reportOpenConnections, resetOpenConnections } from "../net/connection_stats.ts";
import { LOOK_MS, openSockets } from "../net/open_sockets.ts";
import { onSocketBug, setDialMark } from "../net/socket.ts";
import { turnMs } from "../net/turn_clock.ts";
import { AccessLog } from "../telemetry/access_log.ts";
import { registerHeapMetrics } from "../telemetry/heap_metrics.ts";
import { ProxyMetrics } from "../telemetry/proxy_metrics.ts";
import { TapHub } from "../telemetry/tap.ts";
import { BalancerMetrics } from "./observe/balancer_metrics.ts";
import { Credentials } from "./credentials.ts";
import { EventSink } from "./observe/events.ts";
import { FlowTable } from "./observe/flows.ts";
import { InboundMetrics } from "./observe/inbound_metrics.ts";
import type { Listeners } from "./connection/listeners.ts";
import { OutboundMetrics } from "./observe/outbound_metrics.ts";
import type { Pins } from "./resolve/pins.ts";
import { Proxy, type TargetSource } from "./proxy.ts";

export interface DataPathOptions {
  readonly config: ProxyConfig;
  readonly log: Logger;
  readonly listeners: Listeners;
  readonly source: TargetSource;
  readonly tap: TapHub;
  /** Null where names are not pinned. */
  readonly pins: Pins | null;
  /** Writes lines of the access log; resolves when it takes more, with how many were lost. */
  readonly writeAccessLog: (text: string) => Promise<number>;
  /** Lines of this thread's own log that were lost so far. */
  readonly lostLogLines: () => number;
}

export class DataPath {
  readonly metrics = new ProxyMetrics(() => performance.now());
  readonly proxy: Proxy;
  readonly tap: TapHub;
  readonly flows = new FlowTable();
  readonly #options: DataPathOptions;
  readonly #accessLog: AccessLog | null;
  readonly #credentials: Credentials;
  readonly #looks: ReturnType<typeof setInterval>;

  constructor(options: DataPathOptions) {
    this.#options = options;
    const { config, log } = options;
    const { metrics } = this;
    this.tap = options.tap;
    this.#credentials = new Credentials(
      () => Date.now(),
      Math.random,
      config.expiredGraceMs,
      () => metrics.countForcedClose("certificate_expired"),
    );
    this.#accessLog = config.accessLog === "off" ? null : new AccessLog({
      write: options.writeAccessLog,
      now: () => Date.now(),
      onDrop: (lines) => metrics.accessLogDropped.add(lines),
      onRecovered: (lines) => log.warn(LOST_LINES, { log: "access", lines }),
    });
    if (config.dialMark !== null) setDialMark(config.dialMark);
    onSocketBug((error) =>
      log.error("a connection was ended by a bug of the proxy", { error: error.stack ?? error.message })
    );
    const events = new EventSink(this.#accessLog, this.tap);
    this.proxy = new Proxy({
      settings: {
        outbound: config.outboundAddress,
        mesh: config.meshAddress,
        inbound: config.inboundAddress,
        adminPort: config.adminAddress.port,
        dnsPort: config.dnsAddress.port,
        forwards: config.outboundForwards,
        addresses: config.workloadAddresses,
        failFastAfterMs: config.failFastAfterMs,
      },
      listeners: options.listeners,
      source: options.source,
      credentials: this.#credentials,
      pins: options.pins,
      outboundMetrics: new OutboundMetrics(metrics, events, log),
      inboundMetrics: new InboundMetrics(metrics, events, log, this.flows, turnMs),
      clock: turnMs,
      random: Math.random,
    });
    waitingBudget.onEnded = ({ direction, peer }, reason, bytes) => {
      metrics.countRefusal(direction, reason);
      log.warn("ended what its receiver does not read", { direction, reason, peer, bytes });
    };
    const balancers = new BalancerMetrics(metrics, this.proxy.upstreams, this.proxy.outboundHttp.holds);
    openSockets.look();
    this.#looks = setInterval(() => openSockets.look(), LOOK_MS);
    metrics.registry.onCollect(() => metrics.setLogDropped(options.lostLogLines()));
    registerHeapMetrics(metrics.registry);
    metrics.registry.onCollect(reportOpenConnections);
    metrics.registry.onCollect(() => balancers.collect(this.proxy.targets.all()));
  }

  /** Connections from here on use this identity. */
  useIdentity(identity: Identity): void {
    this.#credentials.use(identity);
    this.presentIdentity();
  }

  /** The certificate in force goes to the mesh listener; where that fails, the next sweep tries again. */
  presentIdentity(): void {
    if (this.proxy.startMesh()) return;
    this.#options.log.warn("the mesh listener keeps the certificate before: no descriptor is left (ulimit -n)");
  }

  /** Looks after what is idle. Call every half minute. */
  sweep(): void {
    this.proxy.targets.sweep(performance.now());
    this.presentIdentity();
  }

  /** Cuts off what is left, and counts it. @returns how many connections those were */
  cutOff(reason: string): number {
    const { size } = this.proxy.live;
    for (let i = 0; i < size; i++) this.metrics.countForcedClose(reason);
    resetOpenConnections();
    return size;
  }

  /** Closes everything and writes what is left of the access log. */
  async close(): Promise<void> {
    clearInterval(this.#looks);
    this.proxy.close();
    await this.#accessLog?.flush();
  }
}
