/** Ports on which somebody listens, from the kernel's list: a connection would only meet the sidecar, which always accepts. */
import { readFileSync } from "node:fs";

/** State of a listening socket in /proc/net/tcp. */
const LISTEN = "0A";

/** TCP ports that are listened on in the network namespace of this thread. */
export function listeningPorts(): Set<number> {
  const ports = new Set<number>();
  for (const name of ["tcp", "tcp6"]) {
    try {
      addListening(readFileSync(`/proc/thread-self/net/${name}`, "utf8"), ports);
    } catch {
      // IPv6 may be switched off.
    }
  }
  return ports;
}

/** @param text content of /proc/net/tcp: "sl local_address rem_address st …", with the port in hexadecimal */
export function addListening(text: string, ports: Set<number>): void {
  for (const line of text.split("\n").slice(1)) {
    const [, local, , state] = line.trim().split(/\s+/);
    if (local !== undefined && state === LISTEN) ports.add(parseInt(local.slice(local.lastIndexOf(":") + 1), 16));
  }
}
