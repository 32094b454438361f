/** Pods that are replaced at a steady rate, a few of one Service at a time, as rollouts do. */
import type { KubeClient } from "../../../controller/api/client.ts";
import { TYPES } from "../../../controller/api/resource_type.ts";
import { createPod, deletePod, type PodAt, podAt, type ServiceAt, sliceObject } from "./objects.ts";

/** Pods of one Service that are replaced at once; then its slice is written. */
const GROUP = 5;

export class Churn {
  replaced = 0;
  readonly #client: KubeClient;
  readonly #pods: Map<ServiceAt, PodAt[]>;
  readonly #keep: ReadonlySet<PodAt>;
  #serial = 2048;
  #stopped = false;
  #running: Promise<void> = Promise.resolve();

  /** @param keep pods that stay: their proxies are connected */
  constructor(client: KubeClient, services: readonly ServiceAt[], keep: ReadonlySet<PodAt>) {
    this.#client = client;
    this.#pods = new Map(services.map((service) => [service, [...service.pods]]));
    this.#keep = keep;
  }

  /** Begins to replace `rate` pods per second. */
  start(rate: number): void {
    this.#running = this.#run(rate);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #run(rate: number): Promise<void> {
    const services = [...this.#pods.keys()];
    const since = performance.now();
    const underWay = new Set<Promise<void>>();
    for (let group = 0; !this.#stopped; group++) {
      const dueMs = since + group * GROUP / rate * 1000;
      await Bun.sleep(Math.max(0, dueMs - performance.now()));
      const at = group % services.length;
      const service = services[at];
      if (service === undefined) break;
      const work = this.#replace(service).finally(() => underWay.delete(work));
      underWay.add(work);
      if (underWay.size > 8) await Promise.race(underWay); // the API server is behind: it takes what it takes
    }
    await Promise.all(underWay);
  }

  async #replace(service: ServiceAt): Promise<void> {
    const pods = this.#pods.get(service) ?? [];
    const old = pods.filter((pod) => !this.#keep.has(pod)).slice(0, GROUP);
    const { namespace, name } = service;
    const fresh = old.map(() => podAt(namespace, name, 0, this.#serial++));
    const now = [...pods.filter((pod) => !old.includes(pod)), ...fresh];
    this.#pods.set(service, now);
    await Promise.all(fresh.map((pod) => createPod(this.#client, pod)));
    await this.#client.replace(TYPES.EndpointSlice, sliceObject({ ...service, pods: now }));
    await Promise.all(old.map((pod) => deletePod(this.#client, pod)));
    this.replaced += old.length;
  }
}
