/**
 * Requests at an even rate, each with a number of its own that the application repeats. The rate does not depend on the
 * answers until too many are outstanding: then the machine is too slow for it, and no mesh could answer them.
 */
import { type Client, type Method, REQUEST_MS } from "./_clients.ts";

/** How often due requests are sent, milliseconds. */
const TICK_MS = 4;

/** A request that was sent. */
export interface Sent {
  readonly id: string;
  readonly kind: Client["kind"];
  readonly method: Method;
  readonly startedMs: number;
  /** 0 while it is under way. */
  endedMs: number;
  /** "" when the answer was right. */
  error: string;
  /** Who answered. */
  by: string;
}

export interface LoadReport {
  readonly sent: number;
  readonly failed: readonly Sent[];
  /** Answers by who gave them. */
  readonly by: Readonly<Record<string, number>>;
  /** Requests a second that were sent: fewer than asked for on a machine that is too slow. */
  readonly rate: number;
  /** The longest time for a good answer, milliseconds. */
  readonly slowestMs: number;
}

export interface LoadOptions {
  readonly clients: readonly Client[];
  /** Requests a second, over all clients. */
  readonly rate: number;
  /** Requests that may be under way at a time. */
  readonly most: number;
  /** Share of the requests that are POST, 0–1. gRPC's all are. */
  readonly posts?: number;
}

/** A running load. Owned by who started it: `stop` ends it and says how it went. */
export class Load {
  readonly #options: LoadOptions;
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #startedMs = performance.now();
  #dueMs = performance.now();
  readonly #open = new Set<Sent>();
  readonly #failed: Sent[] = [];
  readonly #by: Record<string, number> = {};
  readonly #run = Math.random().toString(36).slice(2, 8);
  #sent = 0;
  #slowestMs = 0;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  get sent(): number {
    return this.#sent;
  }

  get failed(): readonly Sent[] {
    return this.#failed;
  }

  /** Good answers of somebody so far. */
  answeredBy(name: string): number {
    return this.#by[name] ?? 0;
  }

  /** Requests that are under way. */
  inFlight(): Sent[] {
    return [...this.#open];
  }

  /** Waits until so many more requests have been sent. */
  async more(requests: number): Promise<void> {
    const until = this.#sent + requests;
    while (this.#sent < until) await Bun.sleep(TICK_MS);
  }

  /** Sends no more, and waits for the answers that are due. */
  async stop(): Promise<LoadReport> {
    clearInterval(this.#timer);
    const rate = Math.round(1000 * this.#sent / (performance.now() - this.#startedMs));
    const deadline = performance.now() + REQUEST_MS;
    while (this.#open.size > 0 && performance.now() < deadline) await Bun.sleep(TICK_MS);
    for (const request of this.#open) this.#failed.push({ ...request, error: "no answer" });
    for (const client of this.#options.clients) client.close();
    return { sent: this.#sent, failed: this.#failed, by: this.#by, rate, slowestMs: Math.round(this.#slowestMs) };
  }

  #tick(): void {
    const { clients, rate, most } = this.#options;
    const now = performance.now();
    // What could not be sent in time is not made up for.
    if (this.#open.size >= most) this.#dueMs = Math.max(this.#dueMs, now);
    while (this.#dueMs <= now && this.#open.size < most) {
      this.#dueMs += 1000 / rate;
      const client = clients[this.#sent % clients.length] as Client; // at least one
      void this.#one(client, this.#sent++);
    }
  }

  async #one(client: Client, number: number): Promise<void> {
    const { posts = 0, clients } = this.#options;
    const turn = (Math.floor(number / clients.length) * 37) % 100; // spread evenly
    const method = client.kind === "grpc" || turn < posts * 100 ? "POST" : "GET";
    const id = `${this.#run}-${number}`;
    const startedMs = performance.now();
    const request: Sent = { id, kind: client.kind, method, startedMs, endedMs: 0, error: "", by: "" };
    this.#open.add(request);
    try {
      const [by = "", echoed] = (await client.send(method, id)).split(" ");
      request.by = by;
      if (echoed !== id) request.error = `the answer was for ${echoed}`;
    } catch (cause) {
      request.error = cause instanceof Error ? cause.message : String(cause);
    }
    request.endedMs = performance.now();
    this.#open.delete(request);
    if (request.error !== "") this.#failed.push(request);
    else {
      this.#slowestMs = Math.max(this.#slowestMs, request.endedMs - startedMs);
      this.#by[request.by] = (this.#by[request.by] ?? 0) + 1;
    }
  }
}

/** What went wrong, with counts: "12 POST h1: 502 upstream_reset". */
export function reasons(failed: readonly Sent[]): string {
  const counts = new Map<string, number>();
  for (const { method, kind, error } of failed) {
    const text = `${method} ${kind}: ${error.replace(/[\d.]+:\d+/g, "…").slice(0, 110)}`;
    counts.set(text, (counts.get(text) ?? 0) + 1);
  }
  return [...counts].sort((a, b) => b[1] - a[1]).slice(0, 6).map(([text, n]) => `${n} ${text}`).join("; ");
}
