/**
 * The data path on several threads. The main thread is one of them, and has identity, discovery and admin, of which there
 * is one per process; the others are workers that ask it for what they need.
 *
 *   kernel ──one queue per listener──▶ main | worker 1 | worker 2 …    see AcceptShare
 *   controller ──one stream──▶ main ──snapshots, identity──▶ workers   see SnapshotRelay
 *   workers ──counts, events, lines of the log──▶ main ──▶ /metrics, /tap, stdout
 *
 * Shared: what the mesh says (targets, policy, identity), and tripped breakers, since another thread need not run into
 * the same failures. Each thread's own: latencies (EWMA) and requests in flight, which it balances by, connections to
 * peers, what it has learnt about protocols; with many requests these agree by themselves, and sharing them would cost
 * something for each request. Limits per process are divided: see net/threads.ts.
 */
import type { Logger } from "../../../base/log.ts";
import type { ProxyConfig } from "../../../config/proxy_config.ts";
import type { Identity } from "../../../identity/identity.ts";
import { AcceptCounts, AcceptShare } from "../../../net/accept_share.ts";
import { setThreads } from "../../../net/threads.ts";
import { dumpMetrics, type MetricsDump, MetricsSum } from "../../../telemetry/metrics_sum.ts";
import type { ClosedSeries, Registry } from "../../../telemetry/registry.ts";
import type { DataPath } from "../../data_path.ts";
import { listenerNames, type Listeners, type ListenersOptions } from "../../connection/listeners.ts";
import type { PathReport } from "../../path_report.ts";
import type { Control } from "../control.ts";
import type { FromWorker, ToWorker } from "./messages.ts";
import { type Follower, SnapshotRelay } from "./relay.ts";
import { type LinkOwner, WorkerLink } from "./worker_link.ts";

/** How long a scrape waits for a worker before it takes the counts of the scrape before. */
const ANSWER_MS = 1000;
/** How long the end of the process waits for a worker to close. */
const END_MS = 2000;

/** Parts of the main thread, which are made after the pool. */
export interface PoolParts {
  readonly control: Control;
  readonly path: DataPath;
  readonly listeners: Listeners;
  readonly writeAccessLog: (text: string) => Promise<number>;
}

export class WorkerPool implements LinkOwner {
  /** Gets discovery's snapshots. */
  readonly mirror = new SnapshotRelay();
  /** For the listeners of the main thread. */
  readonly gate: NonNullable<ListenersOptions["gate"]>;
  readonly #config: ProxyConfig;
  readonly #log: Logger;
  readonly #counts: AcceptCounts;
  readonly #shares = new Map<number, AcceptShare>();
  readonly #links: WorkerLink[] = [];
  readonly #followers = new Map<WorkerLink, Follower>();
  #parts: PoolParts | null = null;
  #sum: MetricsSum | null = null;
  #identity: Identity | null = null;
  #allServed = false;

  /** @param config with `workers` above 1 */
  constructor(config: ProxyConfig, log: Logger) {
    this.#config = config;
    this.#log = log;
    setThreads(config.workers);
    const names = listenerNames(config.outboundForwards.length);
    this.#counts = new AcceptCounts(names.length, config.workers);
    this.gate = (name) => {
      const socket = names.indexOf(name);
      const wake = (thread: number) => this.#wake(thread, socket);
      const known = this.#shares.get(socket); // a listener that is opened again goes on with what it counted
      const share = known ?? new AcceptShare(this.#counts, socket, 0, wake, () => performance.now());
      this.#shares.set(socket, share);
      return share;
    };
  }

  /** Starts the workers. Call once the listeners are open. */
  start(parts: PoolParts): void {
    this.#parts = parts;
    const { path } = parts;
    path.metrics.registry.keepClosed();
    this.#sum = new MetricsSum(path.metrics.registry, () => performance.now());
    path.proxy.upstreams.onTrip = (trip) => this.#broadcast({ type: "breaker", trip });
    for (let thread = 1; thread < this.#config.workers; thread++) {
      const link = new WorkerLink(thread, this, this.#log);
      this.#links.push(link);
      link.start();
    }
  }

  /** What is missing before the proxy is ready: each worker once. One that fails later is replaced, and others serve. */
  missing(): string[] {
    this.#allServed ||= this.#links.length > 0 && this.#links.every((link) => link.serving);
    return this.#allServed ? [] : ["not all workers have started"];
  }

  useIdentity(identity: Identity): void {
    this.#identity = identity;
    this.#broadcast({ type: "identity", identity });
  }

  /** Listeners have opened: the workers listen as well. */
  shareListeners(): void {
    for (const link of this.#links) this.#giveSockets(link);
  }

  /** Another process has the sockets: the workers listen no longer. */
  releaseListeners(): void {
    this.#broadcast({ type: "release" });
  }

  tap(isWatched: boolean): void {
    this.#broadcast({ type: "tap", isWatched });
  }

  trim(): void {
    this.#broadcast({ type: "trim" });
  }

  /** The counts of all threads together. */
  async metrics(): Promise<Registry> {
    const { path } = this.#started();
    const dumps = await Promise.all(this.#links.map((link) => link.metrics(ANSWER_MS)));
    const own = dumpMetrics(path.metrics.registry);
    const sum = this.#sum as MetricsSum; // made with the parts
    sum.carry(own.closed);
    return sum.merge([own, ...dumps.filter((dump) => dump !== null)]);
  }

  /** What the workers do; of those that do not answer, nothing. */
  async reports(): Promise<PathReport[]> {
    const all = await Promise.all(this.#links.map((link) => link.ask("report", ANSWER_MS)));
    return all.filter((report) => report !== null);
  }

  /** Connections that workers have accepted. */
  get connections(): number {
    return this.#links.reduce((sum, { thread }) => sum + this.#counts.of(thread), 0);
  }

  /** Has the workers drain, or retire; resolves when the last connection has ended. */
  async finish(how: "drain" | "retire"): Promise<void> {
    await Promise.all(this.#links.map((link) => link.ask(how, 0)));
  }

  /** Ends the workers. @returns how many connections were cut off */
  async end(reason: string): Promise<number> {
    const cut = await Promise.all(this.#links.map((link) => link.ask("end", END_MS, reason)));
    for (const link of this.#links) link.end();
    return cut.reduce((sum: number, n) => sum + (n ?? 0), 0);
  }

  // --- LinkOwner

  onUp(link: WorkerLink): void {
    const { thread } = link;
    link.post({ type: "start", thread, config: this.#config, counts: this.#counts.buffer });
    if (this.#identity !== null) link.post({ type: "identity", identity: this.#identity });
    if (this.#started().path.tap.isWatched) link.post({ type: "tap", isWatched: true });
    const follower: Follower = {
      onSnapshot: (message) => link.post({ type: "snapshot", message }),
      onNoTarget: (key, reason) => link.post({ type: "no_target", key, reason }),
    };
    this.#followers.set(link, follower);
    this.mirror.add(follower);
    this.#giveSockets(link);
  }

  onGone(link: WorkerLink, last: MetricsDump | null): void {
    const { path } = this.#started();
    const lost = this.#counts.leave(link.thread);
    for (let i = 0; i < lost; i++) path.metrics.countForcedClose("worker_failed");
    if (last !== null) this.#sum?.retire(last);
    const follower = this.#followers.get(link);
    if (follower !== undefined) this.mirror.drop(follower);
    // Whoever stepped back for it takes its part.
    for (const socket of this.#shares.keys()) {
      for (let thread = 0; thread < this.#config.workers; thread++) this.#wake(thread, socket);
    }
  }

  onClosed(closed: readonly ClosedSeries[]): void {
    this.#sum?.carry(closed);
  }

  onMessage(link: WorkerLink, message: FromWorker): void {
    const { path, control } = this.#started();
    switch (message.type) {
      case "wake":
        return this.#wake(message.thread, message.socket);
      case "want": {
        const follower = this.#followers.get(link);
        if (follower === undefined) return;
        return void this.mirror.want(follower, message.key, message.timeoutMs, control.discovery);
      }
      case "forget": {
        const follower = this.#followers.get(link);
        return follower === undefined ? undefined : this.mirror.forget(follower, message.key);
      }
      case "breaker":
        path.proxy.upstreams.adopt(message.trip);
        return this.#broadcast(message, link);
      case "events":
        for (const entry of message.entries) path.tap.publish(entry);
        return;
      case "write_log":
        return void this.#writeLog(link, message.text);
      case "capture_works":
        return path.proxy.selfTest.pass();
    }
  }

  async #writeLog(link: WorkerLink, text: string): Promise<void> {
    const lost = await this.#started().writeAccessLog(text);
    link.post({ type: "log_written", lost });
  }

  #wake(thread: number, socket: number): void {
    if (thread === 0) this.#shares.get(socket)?.resume();
    else this.#links[thread - 1]?.post({ type: "accept", socket });
  }

  #giveSockets(link: WorkerLink): void {
    if (!link.isUp) return; // it gets them when it is
    const sockets = this.#started().listeners.duplicates();
    if (sockets !== null && Object.keys(sockets).length === 0) return; // none is open yet
    if (sockets === null) this.#log.error("a worker gets no sockets: no descriptor is left (ulimit -n)");
    else link.post({ type: "listen", sockets });
  }

  #broadcast(message: ToWorker, except: WorkerLink | null = null): void {
    for (const link of this.#links) if (link !== except) link.post(message);
  }

  #started(): PoolParts {
    if (this.#parts === null) throw new Error("the pool has not started");
    return this.#parts;
  }
}
