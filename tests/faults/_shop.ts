/** A client `front` and replicas of an application, real sidecars between them: what faults happen to. */
import { eventually } from "../support/eventually.ts";
import { type Mesh, type MeshOptions, startMesh } from "../support/mesh.ts";
import { type Child, startProcess } from "../support/process.ts";
import { service, type ServiceSpec, workload } from "../support/resources.ts";
import { type Client, grpcClient, http1Client, http2Client } from "./_clients.ts";
import type { Net } from "./_net.ts";
import type { Outcome, Size } from "./fault.ts";
import { Load, type LoadOptions, type LoadReport, reasons, type Sent } from "./_load.ts";

export const HTTP1 = 8080;
export const HTTP2 = 8081;
export const GRPC = 8082;
const APP = new URL("./_app.ts", import.meta.url).pathname;
/** An app that does not answer at all by then will not. */
const START_MS = 20_000;

export interface ShopOptions {
  /** Replicas that run from the start; names "web-0", "web-1", … */
  readonly replicas: number;
  /** Workloads that exist, and may be started later; default: the replicas. */
  readonly places?: number;
  /** Environment of the application, see _app.ts. */
  readonly app?: Readonly<Record<string, string>>;
  /** More about the three services. */
  readonly service?: Partial<Omit<ServiceSpec, "name" | "ports" | "app">>;
  readonly mesh?: Partial<Omit<MeshOptions, "workloads" | "services" | "withdrawn" | "inside">>;
  /** Environment of the sidecar of a workload, by its name. */
  readonly env?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Where the parts run; it needs pods "front", "web-0", …, and the controller is beside this process. */
  readonly net?: Net;
}

/** The network of shops that have one. */
export const SUBNET = "10.88.0";

/** See the file's head. */
export class Shop implements AsyncDisposable {
  readonly mesh: Mesh;
  readonly #options: ShopOptions;
  readonly #apps = new Map<string, Child>();
  /** All that ever ran: their output tells what they were asked. */
  readonly #all: Child[] = [];

  private constructor(mesh: Mesh, options: ShopOptions) {
    this.mesh = mesh;
    this.#options = options;
  }

  static async start(options: ShopOptions): Promise<Shop> {
    const places = placesOf(options);
    const more = options.service ?? {};
    const { net } = options;
    const inside = <T>(part: string, work: () => T): T =>
      part === "controller" ? work() : net?.pod(part).inside(work) as T;
    const mesh = await startMesh({
      ...options.mesh,
      ...(net === undefined ? {} : { subnet: SUBNET, inside }),
      workloads: [
        workload("front", { calls: [`h1:${HTTP1}`, `h2:${HTTP2}`, `grpc:${GRPC}`], env: options.env?.["front"] ?? {} }),
        ...places.map((name) => workload(name, { app: "web", env: options.env?.[name] ?? {} })),
      ],
      services: [
        service("h1", HTTP1, "http", { app: "web", ...more }),
        service("h2", HTTP2, "kubernetes.io/h2c", { app: "web", ...more }),
        service("grpc", GRPC, "grpc", { app: "web", ...more }),
      ],
      withdrawn: places.slice(options.replicas),
    });
    const shop = new Shop(mesh, options);
    try {
      await Promise.all(places.slice(0, options.replicas).map((name) => shop.startApp(name)));
      return shop;
    } catch (cause) {
      await shop[Symbol.asyncDispose]();
      throw cause;
    }
  }

  /** Starts the application of a replica and waits until it listens. */
  async startApp(name: string): Promise<void> {
    const argv = [process.execPath, APP, name, this.mesh.ip(name), `${HTTP1}`, `${HTTP2}`, `${GRPC}`];
    const { net, app: env = {} } = this.#options;
    const start = () => startProcess({ argv, name: `app of ${name}`, env });
    const app = net === undefined ? start() : net.pod(name).inside(start);
    this.#apps.set(name, app);
    this.#all.push(app);
    await app.waitForOutput(/ready\n/, START_MS);
  }

  app(name: string): Child {
    const app = this.#apps.get(name);
    if (app === undefined) throw new Error(`the app of ${name} does not run`);
    return app;
  }

  /** Clients of all three kinds, or of some. */
  clients(kinds: readonly Client["kind"][] = ["h1", "h2", "grpc"]): Client[] {
    const make = {
      h1: () => http1Client(this.mesh.to("front", `h1:${HTTP1}`)),
      h2: () => http2Client(this.mesh.to("front", `h2:${HTTP2}`)),
      grpc: () => grpcClient(this.mesh.to("front", `grpc:${GRPC}`)),
    };
    return kinds.map((kind) => make[kind]());
  }

  /** Starts a load, and waits until all kinds of requests are answered. */
  async load(size: Size, options: Partial<LoadOptions> = {}): Promise<Load> {
    const load = new Load({ clients: this.clients(), posts: 0.3, rate: size.rate, most: size.most, ...options });
    await load.more(100);
    return load;
  }

  /** Waits until a replica answers. */
  async serves(load: Load, name: string): Promise<void> {
    const before = load.answeredBy(name);
    await eventually(() => {
      if (load.answeredBy(name) < before + 10) throw new Error(`${name} is not asked`);
    }, START_MS);
  }

  /** Further tries that the sidecar of `front` made. */
  async retried(): Promise<number> {
    return sumOf(await this.mesh.sidecar("front").metrics(), "outbound_http_route_retry_requests_total");
  }

  /** Numbers of requests that are not idempotent and reached an application more than once. */
  twice(): string[] {
    const seen = new Map<string, number>();
    for (const app of this.#all) {
      for (const [, id = ""] of app.stdout().matchAll(/^P (\S+)$/gm)) seen.set(id, (seen.get(id) ?? 0) + 1);
    }
    return [...seen].filter(([, count]) => count > 1).map(([id]) => id);
  }

  /**
   * Ends a load: nothing may have failed, beside requests that `mayFail`, and no POST may have arrived twice.
   *
   * @param mayFail requests whose failure is right
   */
  async outcome(load: Load, note = "", mayFail: (request: Sent) => boolean = () => false): Promise<Outcome> {
    const report: LoadReport = await load.stop();
    const wrong = report.failed.filter((request) => !mayFail(request));
    const twice = this.twice();
    const problems: string[] = [];
    if (wrong.length > 0) problems.push(`${wrong.length} failed: ${reasons(wrong)}`);
    if (twice.length > 0) problems.push(`${twice.length} POSTs arrived twice: ${twice.slice(0, 5).join(", ")}`);
    const why = report.failed.length > 0 ? reasons(report.failed) : "";
    return {
      requests: report.sent,
      failed: report.failed.length,
      retried: await this.retried(),
      note: [note, why, `${report.rate} requests/s`, `slowest ${report.slowestMs} ms`].filter((text) => text !== "")
        .join("; "),
      problems,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#all.map((app) => app.stop(500)));
    await this.mesh[Symbol.asyncDispose]();
  }
}

function placesOf({ replicas, places = replicas }: ShopOptions): string[] {
  return Array.from({ length: places }, (_, at) => `web-${at}`);
}

/** Sum of all series of a metric. @param filter text that the labels must contain */
export function sumOf(metrics: string, name: string, filter = ""): number {
  let sum = 0;
  for (const line of metrics.split("\n")) {
    if (!line.startsWith(`${name}{`) && !line.startsWith(`${name} `)) continue;
    if (line.includes(filter)) sum += Number(line.slice(line.lastIndexOf(" ") + 1));
  }
  return sum;
}
