/** Addresses for what the YAML leaves open. Once given, an address stays with its instance or Service. */
import type { Service } from "../../kube/resources.ts";
import type { MeshFolder } from "./mesh_folder.ts";

/** Addresses of Services are virtual: captured before they leave a workload, never on a wire. */
const SERVICE_PREFIX = "10.96";
/** First host number for workloads: 1 is the bridge, up to 9 for later use. */
const FIRST_HOST = 10;
/** Last host number of a /24 before broadcast and the machine's own end. */
const LAST_HOST = 253;
/** Host number of the machine's own end of the bridge. */
export const MACHINE_HOST = 254;
/** Host number of the bridge, where the controller listens. */
export const BRIDGE_HOST = 1;

export class AddressBook {
  readonly #subnet: string;
  readonly #instances = new Map<string, readonly string[]>();
  readonly #services = new Map<string, string>();
  readonly #taken = new Set<string>();

  /** @param subnet the three leading numbers of the fabric's /24, "10.77.0" */
  constructor(subnet: string) {
    this.#subnet = subnet;
  }

  /** Address of the bridge. */
  get bridge(): string {
    return `${this.#subnet}.${BRIDGE_HOST}`;
  }

  /** Address of the machine's own end. */
  get machine(): string {
    return `${this.#subnet}.${MACHINE_HOST}`;
  }

  /**
   * Gives an address to each instance and Service that has none yet.
   *
   * @throws RangeError when a fixed address is used twice, or more instances than addresses are asked for
   */
  assign(folder: MeshFolder): void {
    const alive = new Map(folder.instances.map((instance) => [instance.key, instance]));
    for (const [key, ips] of [...this.#instances]) {
      const fixed = alive.get(key)?.fixedIps;
      if (fixed !== undefined && (fixed.length === 0 || fixed.join() === ips.join())) continue;
      this.#instances.delete(key);
      for (const ip of ips) this.#taken.delete(ip);
    }
    const open: string[] = [];
    for (const { key, fixedIps } of folder.instances) {
      if (this.#instances.has(key)) continue;
      if (fixedIps.length > 0) this.#give(key, fixedIps);
      else open.push(key);
    }
    for (const key of open) this.#give(key, [this.#freeHost()]);
    const fixed = new Set(folder.services.flatMap((service) => service.clusterIPs));
    for (const service of folder.services) this.#assignService(service, fixed);
  }

  /** @returns the first address, "" when the instance was never assigned one */
  instance(key: string): string {
    return this.#instances.get(key)?.[0] ?? "";
  }

  /** @returns all addresses of an instance */
  allOf(key: string): readonly string[] {
    return this.#instances.get(key) ?? [];
  }

  /** Address to reach a Service by, null when it has none (headless, external name). */
  service(service: Service): string | null {
    return service.clusterIPs[0] ?? this.#services.get(serviceKey(service)) ?? null;
  }

  /** Content of the controller's --addresses file. @param missing instances that do not run */
  toFile(missing: ReadonlySet<string>): string {
    const workloads = [...this.#instances].filter(([key]) => !missing.has(key));
    const file = { workloads: Object.fromEntries(workloads), services: Object.fromEntries(this.#services) };
    return `${JSON.stringify(file, null, 2)}\n`;
  }

  #give(key: string, ips: readonly string[]): void {
    for (const ip of ips) {
      if (this.#taken.has(ip)) throw new RangeError(`address_taken: ${key} wants ${ip}, which another workload has`);
    }
    for (const ip of ips) this.#taken.add(ip);
    this.#instances.set(key, ips);
  }

  #freeHost(): string {
    for (let host = FIRST_HOST; host <= LAST_HOST; host++) {
      const ip = `${this.#subnet}.${host}`;
      if (!this.#taken.has(ip)) return ip;
    }
    throw new RangeError(`too_many_instances: want at most ${LAST_HOST - FIRST_HOST + 1} on one machine`);
  }

  #assignService(service: Service, fixed: ReadonlySet<string>): void {
    const key = serviceKey(service);
    if (service.headless || service.externalName !== null || service.clusterIPs.length > 0) {
      this.#services.delete(key);
      return;
    }
    if (this.#services.has(key)) return;
    const used = new Set(this.#services.values());
    for (let n = 1; n < 65535; n++) {
      const ip = `${SERVICE_PREFIX}.${n >> 8}.${n & 255}`;
      if ((n & 255) === 0 || (n & 255) === 255 || used.has(ip) || fixed.has(ip)) continue;
      this.#services.set(key, ip);
      return;
    }
  }
}

/** "shop/web" */
export function serviceKey(service: Service): string {
  return `${service.meta.namespace}/${service.meta.name}`;
}
