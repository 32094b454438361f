/** A worker thread: a data path that is told what to do by the main thread, which has identity, discovery and admin. */
import { errorText } from "../../../base/error.ts";
import { AcceptCounts, AcceptShare } from "../../../net/accept_share.ts";
import { setMemory, setThreads } from "../../../net/threads.ts";
import { memoryLimit } from "../../../os/memory_limit.ts";
import { dumpMetrics } from "../../../telemetry/metrics_sum.ts";
import { TapHub } from "../../../telemetry/tap.ts";
import { DataPath } from "../../data_path.ts";
import { listenerNames, Listeners } from "../../connection/listeners.ts";
import { trimHeap } from "../memory.ts";
import { reportPath } from "../../path_report.ts";
import { lostLines, processLog } from "../log.ts";
import { SWEEP_MS } from "../sweep.ts";
import { EventBatch } from "./event_batch.ts";
import type { Answers, FromWorker, ToWorker } from "./messages.ts";
import { RemoteSource } from "./remote_source.ts";

/** What a worker thread has of the runtime's global scope. */
interface WorkerScope {
  onmessage: ((event: { readonly data: ToWorker }) => void) | null;
  postMessage(message: FromWorker): void;
}

/** Runs until the thread is ended. */
export function runWorker(): void {
  const scope = globalThis as unknown as WorkerScope; // the type is the main thread's
  let worker: Worker | null = null;
  scope.onmessage = ({ data }) => {
    if (data.type === "start") worker = new Worker(data, (message) => scope.postMessage(message));
    else worker?.onMessage(data);
  };
  const fail = (error: unknown) => {
    if (worker === null) throw error;
    worker.fail(error);
  };
  process.on("uncaughtException", fail);
  process.on("unhandledRejection", fail);
  scope.postMessage({ type: "up" });
}

class Worker {
  readonly #post: (message: FromWorker) => void;
  readonly #path: DataPath;
  readonly #listeners: Listeners;
  readonly #source: RemoteSource;
  readonly #shares = new Map<number, AcceptShare>();
  readonly #events: EventBatch;
  #logWritten: (lost: number) => void = () => {};
  #unsubscribe: (() => void) | null = null;

  constructor(start: Extract<ToWorker, { readonly type: "start" }>, post: (message: FromWorker) => void) {
    const { thread, config } = start;
    this.#post = post;
    setThreads(config.workers);
    setMemory(memoryLimit());
    const names = listenerNames(config.outboundForwards.length);
    const counts = new AcceptCounts(names.length, config.workers, start.counts);
    this.#listeners = new Listeners({
      mayBind: false,
      gate: (name) => {
        const socket = names.indexOf(name);
        const wake = (other: number) => post({ type: "wake", thread: other, socket });
        const known = this.#shares.get(socket); // a listener that is opened again goes on with what it counted
        const share = known ?? new AcceptShare(counts, socket, thread, wake, () => performance.now());
        this.#shares.set(socket, share);
        return share;
      },
    });
    this.#source = new RemoteSource({
      want: (key, timeoutMs) => post({ type: "want", key, timeoutMs }),
      forget: (key) => post({ type: "forget", key }),
    }, (policy) => this.#path.proxy.usePolicy(policy));
    this.#events = new EventBatch((entries) => post({ type: "events", entries }));
    this.#path = new DataPath({
      config,
      log: processLog(config.logLevel, { thread }),
      listeners: this.#listeners,
      source: this.#source,
      tap: new TapHub(),
      pins: null, // one thread serves where names are pinned
      writeAccessLog: (text) => this.#writeLog(text),
      lostLogLines: lostLines,
    });
    this.#path.metrics.registry.keepClosed();
    this.#path.proxy.upstreams.onTrip = (trip) => post({ type: "breaker", trip });
    this.#path.proxy.selfTest.onPassed = () => post({ type: "capture_works" });
    setInterval(() => this.#path.sweep(), SWEEP_MS);
  }

  onMessage(message: Exclude<ToWorker, { readonly type: "start" }>): void {
    switch (message.type) {
      case "listen":
        return this.#listen(message.sockets);
      case "release":
        return this.#listeners.release();
      case "identity":
        return this.#path.useIdentity(message.identity);
      case "snapshot":
        return this.#source.onSnapshot(message.message);
      case "no_target":
        return this.#source.onNoTarget(message.key, message.reason);
      case "accept":
        return this.#shares.get(message.socket)?.resume();
      case "breaker":
        return this.#path.proxy.upstreams.adopt(message.trip);
      case "tap":
        return this.#tap(message.isWatched);
      case "log_written":
        return this.#logWritten(message.lost);
      case "trim":
        return trimHeap();
      case "ask":
        return void this.#answer(message);
    }
  }

  /** Hands the counts over, so that they are not lost, and ends the thread. */
  fail(error: unknown): void {
    const text = error instanceof Error ? error.stack ?? error.message : errorText(error);
    this.#post({ type: "failed", error: text, metrics: dumpMetrics(this.#path.metrics.registry) });
    process.exit(1); // this thread alone
  }

  #listen(sockets: Parameters<Listeners["give"]>[0]): void {
    this.#listeners.give(sockets);
    this.#listeners.isHeld = false;
    this.#path.proxy.live.stay();
    this.#path.proxy.start();
    this.#path.presentIdentity();
    this.#post({ type: "serving" });
  }

  #tap(isWatched: boolean): void {
    if (isWatched) this.#unsubscribe ??= this.#path.tap.subscribe((entry) => this.#events.add(entry));
    else {
      this.#unsubscribe?.();
      this.#unsubscribe = null;
    }
  }

  /** The main thread writes, so that lines of several threads do not mix. */
  #writeLog(text: string): Promise<number> {
    this.#post({ type: "write_log", text });
    return new Promise((resolve) => this.#logWritten = resolve);
  }

  async #answer(message: Extract<ToWorker, { readonly type: "ask" }>): Promise<void> {
    const answer = (value: Answers[keyof Answers]) => this.#post({ type: "answer", id: message.id, value });
    const { proxy, metrics } = this.#path;
    switch (message.what) {
      case "metrics":
        return answer(dumpMetrics(metrics.registry));
      case "report":
        return answer(reportPath(proxy, this.#path.flows));
      case "drain":
        return proxy.drain(() => answer(null));
      case "retire":
        return proxy.retire(() => answer(null));
      case "end": {
        const cut = this.#path.cutOff(message.reason);
        await this.#path.close();
        return answer(cut);
      }
    }
  }
}
