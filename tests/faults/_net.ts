/**
 * A network of its own: a namespace per pod, joined by a bridge in the namespace that this process is in, which must have
 * been made for it (see inOwnNetwork). When the process ends, all is gone.
 *
 *     bridge ─ veth ─ eth0 of a pod
 *     bridge ─ TAP ─ relay (_relay.ts) ─ TAP ─ eth0 of a pod behind bad weather
 */
import { Namespace } from "../../src/capture/namespace.ts";
import { RouteNetlink } from "../../src/capture/route_netlink.ts";
import { type Means, means } from "../capture/_bed.ts";
import { type Child, findProgram, startProcess } from "../support/process.ts";
import type { Weather } from "./_weather.ts";

const RELAY = new URL("./_relay.ts", import.meta.url).pathname;
const BRIDGE = "mesh0";
const INNER = "TULLE_TEST_OWN_NETWORK";

/** Whether this process is in a network namespace that was made for it. */
export const isOwnNetwork: boolean = process.env[INNER] === "1";

/** Why such a namespace cannot be had, or null. */
export function missingNetwork(): string | null {
  const found: Means = isOwnNetwork ? "here" : means();
  if (found === "not at all") return "network namespaces need root or unprivileged user namespaces";
  if (Bun.spawnSync(["test", "-c", "/dev/net/tun"]).exitCode !== 0) return "there is no /dev/net/tun";
  return null;
}

/** A command that runs another one in a network namespace of its own. */
export function inOwnNetwork(argv: readonly string[]): { argv: string[]; env: Record<string, string> } {
  const user = means() === "here" ? [] : ["--user", "--map-root-user"];
  return { argv: ["unshare", ...user, "--mount", "--net", ...argv], env: { [INNER]: "1" } };
}

export interface Pod {
  readonly ip: string;
  /** Runs synchronous work (starting a process) inside. */
  inside<T>(work: () => T): T;
  /** Changes the weather of a pod that is behind a relay. */
  weather(now: Partial<Weather>): void;
  /** Frames that passed, were lost, and overtook others. */
  counts(): Promise<{ passed: number; lost: number; reordered: number }>;
  /** Drops this share of the packets that arrive at the pod, by the kernel's own filter. */
  lose(share: number): void;
}

export class Net implements AsyncDisposable {
  readonly #links = new RouteNetlink();
  readonly #namespaces: Namespace[] = [];
  readonly #relays: Child[] = [];
  readonly #pods = new Map<string, Pod>();

  /** @param ip of this process in the network, "10.88.0.254" */
  constructor(ip: string) {
    if (!isOwnNetwork) throw new Error("networks are made only in a namespace of one's own");
    this.#links.setUp("lo");
    this.#links.createBridge(BRIDGE);
    this.#links.setUp(BRIDGE);
    this.#links.addAddress(BRIDGE, `${ip}/24`);
  }

  pod(name: string): Pod {
    const pod = this.#pods.get(name);
    if (pod === undefined) throw new Error(`no pod ${name}`);
    return pod;
  }

  /** Makes a pod. `isBad`: behind a relay. */
  async add(name: string, ip: string, isBad = false): Promise<void> {
    const net = Namespace.create("net");
    this.#namespaces.push(net);
    const port = `p${this.#pods.size}`;
    const relay = isBad ? await this.#startRelay(net, port) : null;
    if (relay === null) this.#links.createVeth(port, "eth0", net.fd);
    this.#links.setMaster(port, BRIDGE);
    this.#links.setUp(port);
    net.run(() => {
      using links = new RouteNetlink();
      links.setUp("lo");
      links.setUp("eth0");
      links.addAddress("eth0", `${ip}/24`);
    });
    this.#pods.set(name, podOf(ip, net, relay));
  }

  async #startRelay(net: Namespace, port: string): Promise<Child> {
    const own = Namespace.current("net");
    this.#namespaces.push(own);
    const path = (fd: number) => `/proc/${process.pid}/fd/${fd}`;
    const argv = [process.execPath, RELAY, path(own.fd), port, path(net.fd), "eth0"];
    const relay = startProcess({ argv, name: `relay ${port}`, stdin: "pipe" });
    this.#relays.push(relay);
    await relay.waitForOutput(/ready\n/);
    return relay;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const relay of this.#relays) await relay.stop(100);
    // A namespace goes with its last process, which may take a moment; its link must not stand in the way of the next.
    for (const link of this.#links.linkNames()) {
      if (link === BRIDGE || /^p\d+$/.test(link)) this.#links.deleteLink(link);
    }
    this.#links[Symbol.dispose]();
    for (const net of this.#namespaces) net[Symbol.dispose]();
  }
}

function podOf(ip: string, net: Namespace, relay: Child | null): Pod {
  return {
    ip,
    inside: (work) => net.run(work),
    weather(now) {
      if (relay === null) throw new Error("the pod is not behind a relay");
      relay.write(`${JSON.stringify(now)}\n`);
    },
    async counts() {
      const before = relay?.output().length ?? 0;
      relay?.write("counts\n");
      for (;;) {
        const found = /counts (\{.*\})\n/.exec(relay?.output().slice(before) ?? "");
        if (found !== null) return JSON.parse(found[1] ?? "");
        await Bun.sleep(5);
      }
    },
    lose(share) {
      const rule = `add rule inet bad in meta l4proto tcp numgen random mod 1000 < ${Math.round(share * 1000)} drop`;
      const script = [
        "add table inet bad",
        "flush table inet bad",
        "add chain inet bad in { type filter hook input priority 0; }",
        ...(share > 0 ? [rule] : []),
      ].join("\n");
      const nft = findProgram("nft") ?? "nft";
      const done = net.run(() => Bun.spawnSync([nft, "-f", "-"], { stdin: Buffer.from(script), stderr: "pipe" }));
      if (done.exitCode !== 0) throw new Error(`nft: ${done.stderr.toString()}`);
    },
  };
}
