/** The main thread's end of one worker: starts it, starts it again when it fails, and brings its answers. */
import type { Logger } from "../../../base/log.ts";
import { type BackoffLimits, backoffMs } from "../../../model/backoff.ts";
import type { MetricsDump } from "../../../telemetry/metrics_sum.ts";
import type { ClosedSeries } from "../../../telemetry/registry.ts";
import type { Answers, FromWorker, ToWorker } from "./messages.ts";

/** A worker that fails at once is not started in a loop. */
const RESTART: BackoffLimits = { firstMs: 100, maxMs: 15_000 };
/** A worker that served this long was a good one. */
const GOOD_MS = 60_000;

/** Whom a link tells. */
export interface LinkOwner {
  /** The thread is there; it needs all that it has to know. */
  onUp(link: WorkerLink): void;
  /** It is gone, and is started again later unless the pool ends. @param last what it counted, as far as known */
  onGone(link: WorkerLink, last: MetricsDump | null): void;
  /** Series that it has given up. */
  onClosed(closed: readonly ClosedSeries[]): void;
  /** All other messages. */
  onMessage(link: WorkerLink, message: FromWorker): void;
}

type Question = Extract<ToWorker, { readonly type: "ask" }>;

export class WorkerLink {
  readonly thread: number;
  /** It hears messages. */
  isUp = false;
  /** It takes connections. */
  serving = false;
  readonly #owner: LinkOwner;
  readonly #log: Logger;
  readonly #asked = new Map<number, (value: Answers[keyof Answers] | null) => void>();
  #worker: Worker | null = null;
  #nextId = 1;
  #failures = 0;
  #startedMs = 0;
  #ended = false;
  /** Its counts when it was last asked, or failed. */
  #last: MetricsDump | null = null;

  constructor(thread: number, owner: LinkOwner, log: Logger) {
    this.thread = thread;
    this.#owner = owner;
    this.#log = log;
  }

  start(): void {
    if (this.#ended) return;
    this.#startedMs = performance.now();
    // The binary's own entry, which sees that it is not in the main thread.
    const worker = new Worker(Bun.main);
    this.#worker = worker;
    worker.onmessage = (event: MessageEvent<FromWorker>) => this.#onMessage(event.data);
    worker.onerror = (event) => this.#log.error("a worker cannot go on", { thread: this.thread, error: event.message });
    worker.addEventListener("close", () => this.#onGone());
  }

  /** Sends a message; to a worker that is not there, none. */
  post(message: ToWorker): void {
    if (this.isUp) this.#worker?.postMessage(message);
  }

  /** What it has counted; what was known last when it does not answer in time. Null before the first answer. */
  async metrics(timeoutMs: number): Promise<MetricsDump | null> {
    await this.ask("metrics", timeoutMs);
    return this.#last;
  }

  /** Asks; null when the worker is not there, goes, or does not answer in time (0: however long it takes). */
  ask<W extends Question["what"]>(what: W, timeoutMs: number, reason = ""): Promise<Answers[W] | null> {
    if (!this.isUp) return Promise.resolve(null);
    const id = this.#nextId++;
    return new Promise((resolve) => {
      const timer = timeoutMs === 0 ? null : setTimeout(() => done(null), timeoutMs);
      const done = (value: Answers[keyof Answers] | null) => {
        if (timer !== null) clearTimeout(timer);
        this.#asked.delete(id);
        resolve(value as Answers[W] | null); // the answer to this question
      };
      this.#asked.set(id, done);
      this.post(what === "end" ? { type: "ask", id, what, reason } : { type: "ask", id, what } as Question);
    });
  }

  /**
   * The thread, which has closed what it had, is not started again. It goes with the process, which ends or becomes another
   * program next: the runtime (Bun 1.4.5) aborts now and then when a thread is terminated soon after its start.
   */
  end(): void {
    this.#ended = true;
  }

  #onMessage(message: FromWorker): void {
    if (message.type === "up") {
      this.isUp = true;
      this.#owner.onUp(this);
    } else if (message.type === "answer") {
      // Also one that comes late: what it says of closed series is said once.
      if (isDump(message.value)) this.#keep(message.value);
      this.#asked.get(message.id)?.(message.value);
    } else if (message.type === "failed") {
      this.#keep(message.metrics);
      this.#log.error("a worker cannot go on", { thread: this.thread, error: message.error });
    } else {
      if (message.type === "serving") this.serving = true;
      this.#owner.onMessage(this, message);
    }
  }

  #keep(dump: MetricsDump): void {
    this.#last = dump;
    this.#owner.onClosed(dump.closed);
  }

  #onGone(): void {
    this.isUp = false;
    this.serving = false;
    this.#worker = null;
    for (const done of [...this.#asked.values()]) done(null);
    const last = this.#last;
    this.#last = null;
    this.#owner.onGone(this, last);
    if (this.#ended) return;
    if (performance.now() - this.#startedMs > GOOD_MS) this.#failures = 0;
    const delayMs = backoffMs(RESTART, ++this.#failures, Math.random());
    this.#log.warn("a worker is started again", { thread: this.thread, delay_ms: Math.round(delayMs) });
    setTimeout(() => this.start(), delayMs);
  }
}

function isDump(value: Answers[keyof Answers]): value is MetricsDump {
  return typeof value === "object" && value !== null && "families" in value;
}
