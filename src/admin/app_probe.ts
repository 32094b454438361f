/**
 * Probes that the kubelet leaves to the sidecar, because through it a TCP probe would always succeed and the path of an HTTPS
 * probe cannot be seen. Only what the injector has listed is asked, and only at the workload's own address.
 */
import type { ConnectionStats } from "../net/connection_stats.ts";
import { dial, type RawSocket, type SocketOwner } from "../net/socket.ts";
import { errorText } from "../base/error.ts";
import { hostPort } from "../base/ip.ts";

/** What to ask of the application. */
export type AppProbe =
  | { readonly kind: "tcp"; readonly port: number }
  | { readonly kind: "https"; readonly port: number; readonly path: string };

/** Longest wait for the application, milliseconds. The kubelet gives up by itself, by default after a second. */
const TIMEOUT_MS = 10_000;

/** Asks the application. @param host its own address @returns "" when it is well, or why not */
export async function askApplication(probe: AppProbe, host: string): Promise<string> {
  return probe.kind === "tcp" ? await connects(host, probe.port) : await answers(host, probe.port, probe.path);
}

/** As the kubelet judges: any status from 200 to 399, whatever the certificate. */
async function answers(host: string, port: number, path: string): Promise<string> {
  try {
    const response = await fetch(`https://${hostPort(host, port)}${path}`, {
      redirect: "manual",
      signal: AbortSignal.timeout(TIMEOUT_MS),
      tls: { rejectUnauthorized: false },
      headers: { "user-agent": "kube-probe/tulle" },
    });
    await response.body?.cancel();
    return response.status >= 200 && response.status < 400 ? "" : `it answers ${response.status}`;
  } catch (error) {
    return errorText(error);
  }
}

function connects(host: string, port: number): Promise<string> {
  return new Promise((resolve) => dial(host, port, new Attempt(resolve)));
}

/** A connection that is closed as soon as it stands. */
class Attempt implements SocketOwner {
  stats: ConnectionStats | null = null;
  readonly #done: (trouble: string) => void;
  readonly #timer: ReturnType<typeof setTimeout>;
  #socket: RawSocket | null = null;

  constructor(done: (trouble: string) => void) {
    this.#done = done;
    this.#timer = setTimeout(() => this.#end("it does not accept the connection in time"), TIMEOUT_MS);
  }

  onOpen(socket: RawSocket): void {
    this.#socket = socket;
    this.#end("");
  }

  onConnectFailed(error: Error): void {
    this.#end(errorText(error));
  }

  onHandshake(): void {}
  onData(): void {}
  onDrain(): void {}
  onEnd(): void {}
  onClose(): void {}

  #end(trouble: string): void {
    clearTimeout(this.#timer);
    this.#socket?.terminate();
    this.#done(trouble);
  }
}
