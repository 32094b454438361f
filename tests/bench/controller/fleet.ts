/** The proxies of a run, and how long a change takes to reach those that watch it. */
import { eventually } from "../../support/eventually.ts";
import { inParallel, type PodAt, type ServiceAt } from "./objects.ts";
import { SimulatedProxy } from "./proxies.ts";

/** Longest wait for all proxies to have all they want: 1 000 handshakes on a busy machine. */
const CONNECT_TIMEOUT_MS = 180_000;
/** A push that takes longer is lost. */
const PUSH_TIMEOUT_MS = 30_000;

export interface PushResult {
  /** From before the API server was asked to change until the last proxy had it. */
  readonly lastMs: number;
  readonly firstMs: number;
  readonly bytes: number;
  readonly proxies: number;
}

export interface FleetOptions {
  readonly port: number;
  readonly roots: string;
  readonly pods: readonly PodAt[];
  readonly tokens: ReadonlyMap<PodAt, string>;
  readonly targetsOf: (pod: PodAt, at: number) => readonly string[];
}

interface Waiting {
  readonly resource: string;
  readonly missing: Set<SimulatedProxy>;
  readonly sinceMs: number;
  firstMs: number;
  bytes: number;
  readonly done: (lastMs: number) => void;
}

export class Fleet implements Disposable {
  readonly proxies: readonly SimulatedProxy[];
  updates = 0;
  bytes = 0;
  readonly #watchers = new Map<string, SimulatedProxy[]>();
  #waiting: Waiting | null = null;

  constructor({ port, roots, pods, tokens, targetsOf }: FleetOptions) {
    this.proxies = pods.map((pod, at) => {
      const targets = targetsOf(pod, at);
      const proxy = new SimulatedProxy({
        port,
        roots,
        pod,
        token: tokens.get(pod) ?? "",
        targets,
        onUpdate: (from, name, _, bytes) => this.#note(from, name, bytes),
      });
      for (const target of targets) {
        const name = `outbound/${target}`;
        const list = this.#watchers.get(name);
        if (list === undefined) this.#watchers.set(name, [proxy]);
        else list.push(proxy);
      }
      return proxy;
    });
  }

  /** Starts all and waits until each has everything. @returns how long that took, milliseconds */
  async connect(): Promise<number> {
    const since = performance.now();
    for (const proxy of this.proxies) proxy.start();
    await eventually(() => {
      const open = this.proxies.filter((proxy) => !proxy.isComplete);
      if (open.length === 0) return;
      throw new Error(`${open.length} proxies are not complete: ${JSON.stringify(open[0]?.report())}`);
    }, CONNECT_TIMEOUT_MS);
    return performance.now() - since;
  }

  /** Makes a change of a Service and waits until all that watch it were told. */
  async push(service: ServiceAt, change: () => Promise<void>): Promise<PushResult> {
    const resource = `outbound/${targetOf(service)}`;
    const proxies = this.#watchers.get(resource) ?? [];
    const told = Promise.withResolvers<number>();
    const waiting: Waiting = {
      resource,
      missing: new Set(proxies),
      sinceMs: performance.now(),
      firstMs: 0,
      bytes: 0,
      done: told.resolve,
    };
    this.#waiting = waiting;
    const timer = setTimeout(
      () => told.reject(new Error(`${waiting.missing.size} of ${proxies.length} proxies were not told of ${resource}`)),
      PUSH_TIMEOUT_MS,
    );
    const lastMs = await change().then(() => told.promise).finally(() => clearTimeout(timer));
    this.#waiting = null;
    return { lastMs, firstMs: waiting.firstMs, bytes: waiting.bytes, proxies: proxies.length };
  }

  [Symbol.dispose](): void {
    for (const proxy of this.proxies) proxy.stop();
  }

  #note(proxy: SimulatedProxy, name: string, bytes: number): void {
    this.updates++;
    this.bytes += bytes;
    const waiting = this.#waiting;
    if (waiting === null || waiting.resource !== name || !waiting.missing.delete(proxy)) return;
    const ms = performance.now() - waiting.sinceMs;
    if (waiting.firstMs === 0) waiting.firstMs = ms;
    waiting.bytes += bytes;
    if (waiting.missing.size === 0) waiting.done(ms);
  }
}

export function targetOf({ clusterIp }: ServiceAt): string {
  return `${clusterIp}:80`;
}

/** A token for each pod. */
export async function tokensOf(
  pods: readonly PodAt[],
  ask: (pod: PodAt) => Promise<string>,
): Promise<Map<PodAt, string>> {
  const tokens = new Map<PodAt, string>();
  await inParallel(pods, async (pod) => void tokens.set(pod, await ask(pod)));
  return tokens;
}
