/**
 * The client that does no harm, in a process of its own: requests at a fixed rate, each timed from the moment it was due
 * (so that a stall counts for all that it delayed), and the private memory of the sidecars meanwhile.
 *
 *     bun _bystander.ts '{"targets": […], "pids": […]}'    # prints a report of what happened since the one before for each
 *                                                          # line that is written to it
 */
import { Http1Client } from "../support/http1.ts";
import { memory } from "../support/proc.ts";
import { MEDIUM_BYTES } from "./_ports.ts";

export interface BystanderOptions {
  readonly targets: readonly { readonly host: string; readonly port: number }[];
  readonly pids: readonly number[];
}

export interface BystanderReport {
  readonly ok: number;
  readonly failed: number;
  readonly reasons: Readonly<Record<string, number>>;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** Highest private memory of each process, MB. */
  readonly peakMb: readonly number[];
}

/** Requests a second at each target. */
const RATE = 40;
/** Connections to each target: more than are ever busy unless something stalls. */
const CONNECTIONS = 8;
const SAMPLE_MS = 20;
const UPLOAD = Buffer.concat([
  Buffer.from(`POST /sink HTTP/1.1\r\nhost: web\r\ncontent-length: ${MEDIUM_BYTES}\r\n\r\n`),
  Buffer.alloc(MEDIUM_BYTES, 0x62),
]);

class Bystander {
  #latencies: number[] = [];
  #reasons: Record<string, number> = {};
  readonly #running = new Set<Promise<void>>();
  #peakMb: number[];
  readonly #options: BystanderOptions;
  #failed = 0;

  constructor(options: BystanderOptions) {
    this.#options = options;
    this.#peakMb = options.pids.map(() => 0);
  }

  start(): void {
    setInterval(() => this.#sample(), SAMPLE_MS);
    for (const target of this.#options.targets) this.#load(target);
  }

  /** What happened since the last report, with the requests that are under way. */
  async report(): Promise<BystanderReport> {
    this.#sample();
    await Promise.all([...this.#running]);
    const sorted = this.#latencies.sort((a, b) => a - b);
    const at = (share: number) => Math.round((sorted[Math.floor(share * (sorted.length - 1))] ?? 0) * 10) / 10;
    const report = {
      ok: sorted.length,
      failed: this.#failed,
      reasons: this.#reasons,
      p50Ms: at(0.5),
      p99Ms: at(0.99),
      maxMs: at(1),
      peakMb: this.#peakMb,
    };
    this.#latencies = [];
    this.#reasons = {};
    this.#failed = 0;
    this.#peakMb = this.#options.pids.map(() => 0);
    return report;
  }

  #sample(): void {
    this.#options.pids.forEach((pid, at) => {
      this.#peakMb[at] = Math.max(this.#peakMb[at] ?? 0, memory([pid]).anonMb);
    });
  }

  #load(target: { readonly host: string; readonly port: number }): void {
    const idle: (Http1Client | null)[] = Array.from({ length: CONNECTIONS }, () => null);
    const due: { readonly atMs: number; readonly kind: number }[] = [];
    const startMs = performance.now();
    let made = 0;
    const next = () => {
      while (due.length > 0 && idle.length > 0) {
        const { atMs, kind } = due.shift() as { atMs: number; kind: number }; // not empty
        const task = this.#request(target, idle.pop() ?? null, kind, atMs).then((client) => {
          idle.push(client);
          this.#running.delete(task);
          next();
        });
        this.#running.add(task);
      }
    };
    setInterval(() => {
      for (; startMs + made * 1000 / RATE <= performance.now(); made++) {
        due.push({ atMs: startMs + made * 1000 / RATE, kind: made % 8 });
      }
      next();
    }, 5);
  }

  /** Mostly small requests, now and then a body down or up: they need windows, which attacks may use up. */
  async #request(
    target: { readonly host: string; readonly port: number },
    idle: Http1Client | null,
    kind: number,
    atMs: number,
  ): Promise<Http1Client | null> {
    let client = idle;
    try {
      client ??= await Http1Client.connect(target);
      if (kind === 3) await client.peer.write(UPLOAD);
      const response = kind === 3 ? await client.readResponse() : await client.get(kind === 7 ? "/medium" : "/");
      if (response.status !== 200) throw new Error(`${response.status} ${response.body.toString().slice(0, 100)}`);
      if (kind === 7 && response.body.length !== MEDIUM_BYTES) throw new Error("body cut short");
      this.#latencies.push(performance.now() - atMs);
      return client;
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      this.#failed++;
      this.#reasons[reason] = (this.#reasons[reason] ?? 0) + 1;
      client?.peer.terminate();
      return null;
    }
  }
}

if (import.meta.main) {
  const bystander = new Bystander(JSON.parse(process.argv[2] ?? "{}") as BystanderOptions);
  bystander.start();
  process.stdin.on("data", () => void bystander.report().then((report) => console.log(JSON.stringify(report))));
}
