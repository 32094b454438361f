/** Addresses for what the YAML leaves open. Once given, an address stays with its instance or Service. */
import type { Service } from "../../kube/resources.ts";
import type { Instance, MeshFolder } from "./mesh_folder.ts";

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
  readonly #instances = new Map<string, string>();
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
    const alive = new Set(folder.instances.map((instance) => instance.key));
    for (const [key, ip] of this.#instances) {
      if (alive.has(key)) continue;
      this.#instances.delete(key);
      this.#taken.delete(ip);
    }
    const open: Instance[] = [];
    for (const instance of folder.instances) {
      if (instance.fixedIp !== null) this.#fix(instance.key, instance.fixedIp);
      else open.push(instance);
    }
    for (const { key } of open) {
      if (!this.#instances.has(key)) this.#fix(key, this.#freeHost());
    }
    const fixed = new Set(folder.services.flatMap((service) => service.clusterIPs));
    for (const service of folder.services) this.#assignService(service, fixed);
  }

  /** @returns the address, "" when the instance was never assigned one */
  instance(key: string): string {
    return this.#instances.get(key) ?? "";
  }

  /** Address to reach a Service by, null when it has none (headless, external name). */
  service(service: Service): string | null {
    return service.clusterIPs[0] ?? this.#services.get(serviceKey(service)) ?? null;
  }

  /** Content of the controller's --addresses file. @param missing instances that do not run */
  toFile(missing: ReadonlySet<string>): string {
    const workloads = [...this.#instances].filter(([key]) => !missing.has(key)).map(([key, ip]) => [key, [ip]]);
    const file = { workloads: Object.fromEntries(workloads), services: Object.fromEntries(this.#services) };
    return `${JSON.stringify(file, null, 2)}\n`;
  }

  #fix(key: string, ip: string): void {
    const before = this.#instances.get(key);
    if (before === ip) return;
    if (this.#taken.has(ip)) throw new RangeError(`address_taken: ${key} wants ${ip}, which another workload has`);
    if (before !== undefined) this.#taken.delete(before);
    this.#taken.add(ip);
    this.#instances.set(key, ip);
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
