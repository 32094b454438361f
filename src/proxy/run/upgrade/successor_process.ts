/** The new process, as the old one sees it: started with the sockets, watched until it serves, and afterwards. */
import { errorText } from "../../../base/error.ts";
import { LineChannel, type LineChannelOwner, socketPair } from "../../../net/line_channel.ts";
import { closeDescriptor } from "../../../net/listener.ts";
import { duplicateDescriptor } from "../../../os/process.ts";
import type { GivenSocket, GivenSockets } from "../../connection/listeners.ts";
import { INHERITED, type Inherited, parseMessage } from "./messages.ts";

/** Descriptors that programs have for other things: stdin, stdout, stderr. */
const FIRST_DESCRIPTOR = 3;

/** What a process becomes ready for. */
export interface SuccessorPlan {
  readonly command: readonly string[];
  /** Its sockets; closed here once it has them. */
  readonly sockets: GivenSockets;
  readonly captureWorks: boolean;
  readonly standsIn: boolean;
}

/** How the start went. */
export type Started = { readonly ok: true } | { readonly ok: false; readonly reason: string };

export class SuccessorProcess implements LineChannelOwner {
  readonly pid: number;
  version = "unknown";
  readonly exited: Promise<number>;
  /** Another process has taken its place. */
  isReplaced = false;
  readonly #channelFd: number;
  readonly #kill: (signal: NodeJS.Signals) => void;
  #waitsFor: readonly string[] = [];
  #failure = "";
  #onServing: () => void = () => {};

  /** @throws Error when the program cannot be started */
  static start(plan: SuccessorPlan): SuccessorProcess {
    const pair = socketPair();
    const names = Object.keys(plan.sockets);
    const descriptors = Object.values(plan.sockets).map(({ fd }) => fd);
    try {
      if (pair === null) throw new Error("no descriptor is left (ulimit -n)");
      const inherited: Inherited = {
        role: "succeed",
        sockets: Object.fromEntries(names.map((name, i) => [name, moved(plan.sockets[name], FIRST_DESCRIPTOR + i)])),
        channel: FIRST_DESCRIPTOR + names.length,
        pid: process.pid,
        captureWorks: plan.captureWorks,
        standsIn: plan.standsIn,
        children: [],
      };
      const child = Bun.spawn([...plan.command], {
        env: { ...process.env, [INHERITED]: JSON.stringify(inherited) },
        stdio: ["ignore", "inherit", "inherit", ...descriptors, pair[1]],
      });
      child.unref();
      return new SuccessorProcess(child.pid, child.exited, (signal) => child.kill(signal), pair[0]);
    } catch (error) {
      closeDescriptor(pair?.[0] ?? -1);
      throw new Error(`${plan.command[0]} cannot be started: ${errorText(error)}`);
    } finally {
      closeDescriptor(pair?.[1] ?? -1);
      for (const fd of descriptors) closeDescriptor(fd);
    }
  }

  private constructor(pid: number, exited: Promise<number>, kill: (signal: NodeJS.Signals) => void, channel: number) {
    this.pid = pid;
    this.exited = exited;
    this.#kill = kill;
    this.#channelFd = channel;
    new LineChannel(channel, this);
  }

  /** Waits until it serves; ends it when it does not within the time. */
  async serving(timeoutMs: number): Promise<Started> {
    const outcome = Promise.withResolvers<Started>();
    this.#onServing = () => outcome.resolve({ ok: true });
    const timer = setTimeout(() => {
      const what = this.#waitsFor.length === 0 ? "it says nothing" : this.#waitsFor.join("; ");
      outcome.resolve({ ok: false, reason: `not ready within ${timeoutMs / 1000} s: ${what}` });
    }, timeoutMs);
    void this.exited.then((code) => {
      const why = this.#failure === "" ? "its output is in the log of this proxy" : this.#failure;
      outcome.resolve({ ok: false, reason: `ended with status ${code} before it served: ${why}` });
    });
    const started = await outcome.promise;
    clearTimeout(timer);
    if (!started.ok) this.kill("SIGKILL");
    return started;
  }

  kill(signal: NodeJS.Signals): void {
    this.#kill(signal);
  }

  /** A further descriptor of this end of the channel, the caller's to close; -1 when there is none left. */
  channelDescriptor(): number {
    return duplicateDescriptor(this.#channelFd);
  }

  onLine(line: string): void {
    const message = parseMessage(line);
    if (message === null) return;
    if (message.type === "hello") this.version = message.version;
    else if (message.type === "waiting") this.#waitsFor = message.reasons;
    else if (message.type === "failed") this.#failure = message.reason;
    else if (message.type === "serving") this.#onServing();
    else if (message.type === "replaced") this.isReplaced = true;
  }

  onChannelClosed(): void {}
}

function moved(socket: GivenSocket | undefined, fd: number): GivenSocket {
  return { fd, port: socket?.port ?? 0 };
}
