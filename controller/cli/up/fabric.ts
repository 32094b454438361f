/**
 * The network of one `tulle up`: a bridge in a namespace of its own, one namespace per workload joined to it.
 *
 *     machine --- tulle0/uplink --- bridge (controller) --- w1/eth0 --- workload (sidecar, app)
 *     (root only)                                       `-- w2/eth0 --- workload …
 *
 * Nothing is forwarded out of it. The namespaces have no name and go away with the last process and descriptor.
 */
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { installCapture } from "../../../src/capture/capture.ts";
import type { CapturePlan } from "../../../src/capture/capture_plan.ts";
import { bindMount, Namespace } from "../../../src/capture/namespace.ts";
import { RouteNetlink } from "../../../src/capture/route_netlink.ts";
import { Errno, SystemError } from "../../../src/capture/system_error.ts";
import { BRIDGE_HOST, MACHINE_HOST } from "./address_book.ts";

/** The bridge; frames between sidecars can be watched on it. */
export const BRIDGE = "tulle";
/** First of the candidate subnets 10.77.0.0/24, 10.78.0.0/24 …; the n-th goes with the link name tulle<n>. */
const FIRST_SUBNET = 77;
const MAX_SUBNETS = 100;

/** Where a workload lives. */
export interface Place {
  readonly net: Namespace;
  readonly mnt: Namespace;
}

/** The machine's end of its link to the bridge: the name goes with the number of the run, the index is the kernel's. */
export interface MachineLink {
  readonly name: string;
  readonly number: number;
  readonly index: number;
}

export class Fabric {
  /** Leading three numbers of the /24, "10.77.0". */
  readonly subnet: string;
  /** The machine's own end of the link to the bridge; null without root. */
  readonly machineLink: MachineLink | null;
  /** Number of this run among those of the machine. */
  readonly number: number;
  readonly #links = new RouteNetlink();
  #nextPort = 1;

  /**
   * Builds bridge and link. The calling process must be in a new network namespace of its own.
   *
   * @param machine namespace of the machine, null without root
   * @throws SystemError
   */
  constructor(machine: Namespace | null) {
    this.#links.setUp("lo");
    this.#links.createBridge(BRIDGE);
    this.machineLink = machine === null ? null : linkToMachine(this.#links, machine);
    this.number = this.machineLink?.number ?? 0;
    this.subnet = subnetOf(this.number);
    this.#links.addAddress(BRIDGE, `${this.subnet}.${BRIDGE_HOST}/24`);
    this.#links.setUp(BRIDGE);
    if (machine === null) return;
    this.#links.setMaster("uplink", BRIDGE);
    this.#links.setUp("uplink");
  }

  /**
   * Creates a workload's namespaces and joins them to the bridge.
   *
   * @param ips its addresses; one outside of the subnet gets a route of its own
   * @param plan capture rules, null for none
   * @param folder holds its `hosts` and `resolv.conf`, which it sees as its own in /etc
   * @throws SystemError
   */
  addWorkload(ips: readonly string[], plan: CapturePlan | null, folder: string): Place {
    const net = Namespace.create("net");
    const port = `w${this.#nextPort++}`;
    this.#links.createVeth(port, "eth0", net.fd);
    this.#links.setMaster(port, BRIDGE);
    this.#links.setUp(port);
    const blocks = ips.map((ip) => `${ip}/${ip.startsWith(`${this.subnet}.`) ? 24 : ip.includes(":") ? 128 : 32}`);
    for (const block of blocks) {
      if (!block.endsWith("/24")) this.#addOwnRoute(block);
    }
    net.run(() => {
      using links = new RouteNetlink();
      links.setUp("lo");
      links.setUp("eth0");
      for (const block of blocks) links.addAddress("eth0", block);
      // Everything counts as on the link: an address of a Service must have a route to be captured, and one that
      // nobody has fails after the kernel asked for it, instead of vanishing in a router.
      links.addRoute("0.0.0.0/0", "eth0", null);
      if (ips.some((ip) => ip.includes(":"))) links.addRoute("::/0", "eth0", null);
      if (plan !== null) installCapture(plan);
    });
    const mnt = Namespace.create("mnt");
    mnt.run(() => {
      for (const name of ["hosts", "resolv.conf"]) bindOver(join(folder, name), `/etc/${name}`);
    });
    return { net, mnt };
  }

  /** A workload that comes back has its route still. */
  #addOwnRoute(block: string): void {
    try {
      this.#links.addRoute(block, BRIDGE, null);
    } catch (error) {
      if (!(error instanceof SystemError) || error.errno !== Errno.EEXIST) throw error;
    }
  }

  /**
   * Takes the link to the machine away. A connection that nobody waits for any more may keep the kernel's namespace for
   * minutes after its last process, and the link with it.
   */
  close(): void {
    if (this.machineLink !== null) this.#links.deleteLink("uplink");
  }

  /** Lets go of a workload's namespaces; its end of the link goes with them once its processes are gone. */
  removeWorkload(place: Place): void {
    place.net[Symbol.dispose]();
    place.mnt[Symbol.dispose]();
  }
}

/** Runs synchronous work in a workload's namespaces. */
export function insideOf<T>(place: Place, work: () => T): T {
  return place.mnt.run(() => place.net.run(work));
}

function subnetOf(number: number): string {
  return `10.${FIRST_SUBNET + number}.0`;
}

/** Links this namespace to the machine. The link's name is the lock: the kernel gives each to one run only. */
function linkToMachine(links: RouteNetlink, machine: Namespace): MachineLink {
  using machineLinks = machine.run(() => new RouteNetlink());
  const used = machineLinks.usedBlocks().map((each) => each.block);
  for (let number = 0; number < MAX_SUBNETS; number++) {
    const subnet = subnetOf(number);
    if (used.some((block) => block.startsWith(`${subnet.split(".").slice(0, 2).join(".")}.`))) continue;
    const name = `tulle${number}`;
    try {
      links.createVeth("uplink", name, machine.fd);
    } catch (error) {
      if (error instanceof SystemError && error.errno === Errno.EEXIST) continue;
      throw error;
    }
    machineLinks.addAddress(name, `${subnet}.${MACHINE_HOST}/24`);
    machineLinks.setUp(name);
    return { name, number, index: machineLinks.linkIndex(name) };
  }
  throw new RangeError(
    `no_subnet: all of 10.${FIRST_SUBNET}.0.0/24 … 10.${FIRST_SUBNET + MAX_SUBNETS - 1}.0.0/24 are in use`,
  );
}

/** A file that does not exist cannot be mounted over; then names resolve as on the machine. */
function bindOver(source: string, target: string): void {
  if (!existsSync(source)) writeFileSync(source, "");
  if (existsSync(target)) bindMount(source, target);
}
