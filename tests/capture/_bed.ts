/**
 * Two network namespaces joined by a veth pair: `workload` (captured or not) and `peer`. Made as root, or inside a user
 * namespace into which the test file runs itself again.
 */
import { Namespace } from "../../src/capture/namespace.ts";
import { RouteNetlink } from "../../src/capture/route_netlink.ts";
import { originalDestination } from "../../src/net/orig_dst.ts";

export const WORKLOAD_IPV4 = "10.99.0.2";
export const WORKLOAD_IPV6 = "fd00:99::2";
export const PEER_IPV4 = "10.99.0.3";
export const PEER_IPV6 = "fd00:99::3";

/** How the tests of a file can run on this machine. */
export type Means = "here" | "user namespace" | "not at all";

/** Finds out by trying. */
export function means(): Means {
  try {
    Namespace.create("net")[Symbol.dispose]();
    return "here";
  } catch {
    const trial = Bun.spawnSync(["unshare", "--user", "--map-root-user", "--net", "true"], { stderr: "ignore" });
    return trial.exitCode === 0 ? "user namespace" : "not at all";
  }
}

/** Runs a test file inside a user namespace. @returns its output and whether it passed */
export function runInUserNamespace(file: string): { passed: boolean; output: string } {
  const command = ["unshare", "--user", "--map-root-user", "--mount", "--net", process.execPath, "test", file];
  const child = Bun.spawnSync(command, { stdout: "pipe", stderr: "pipe" });
  return { passed: child.exitCode === 0, output: child.stdout.toString() + child.stderr.toString() };
}

export class Bed implements Disposable {
  readonly workload = Namespace.create("net");
  readonly peer = Namespace.create("net");

  constructor() {
    this.workload.run(() => {
      using links = new RouteNetlink();
      links.createVeth("eth0", "eth0", this.peer.fd);
      bringUp(links, `${WORKLOAD_IPV4}/24`, `${WORKLOAD_IPV6}/64`);
    });
    this.peer.run(() => {
      using links = new RouteNetlink();
      bringUp(links, `${PEER_IPV4}/24`, `${PEER_IPV6}/64`);
    });
  }

  [Symbol.dispose](): void {
    this.workload[Symbol.dispose]();
    this.peer[Symbol.dispose]();
  }
}

function bringUp(links: RouteNetlink, ipv4: string, ipv6: string): void {
  links.setUp("lo");
  links.setUp("eth0");
  links.addAddress("eth0", ipv4);
  links.addAddress("eth0", ipv6);
  links.addRoute("0.0.0.0/0", "eth0", null);
  links.addRoute("::/0", "eth0", null);
}

/** Listens and answers each connection with "<name> <original destination>". */
export function answer(name: string, hostname: string, port: number): { stop(): void } {
  const listener = Bun.listen({
    hostname,
    port,
    socket: {
      open(socket) {
        const fd = (socket as unknown as { fd: number }).fd; // absent from bun-types
        const from = socket.remoteAddress;
        const found = originalDestination(fd, from.includes(":") && !from.startsWith("::ffff:"));
        socket.end(`${name} ${found === null ? "?" : `${found.ip} ${found.port}`}`);
      },
      data() {},
    },
  });
  return { stop: () => listener.stop(true) };
}

/** What a connection to an address is answered with, from the namespace the thread is in; the error's code otherwise. */
export function ask(hostname: string, port: number): Promise<string> {
  let text = "";
  return new Promise((resolve) => {
    Bun.connect({
      hostname,
      port,
      socket: {
        data: (_, bytes) => void (text += bytes.toString()),
        close: () => resolve(text),
        connectError: (_, error) => resolve((error as { code?: string }).code ?? error.message),
      },
    }).catch((error: { code?: string }) => resolve(error.code ?? "error"));
  });
}
