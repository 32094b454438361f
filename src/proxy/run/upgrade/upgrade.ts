/**
 * A new program takes a proxy's place without a connection being refused or cut.
 *
 *   serving ──start──▶ successor starts, with the listening sockets inherited; loads the last good state; serves
 *      ▲                  │ not started, not ready: it is ended, and nothing has happened
 *      │                  ▼
 *      │                retiring: listens no longer (the queues live on in the successor), finishes what it has, at most
 *      └─ successor fails ┤ the grace of an upgrade
 *                         ▼
 *                       gone: exit; or, where the process id must stay, exec of the new program, which takes the sockets
 *                      back and has the successor, which only stood in, retire in the same way
 */
import { errorText } from "../../../base/error.ts";
import type { Logger } from "../../../base/log.ts";
import { VERSION } from "../../../base/version.ts";
import { closeDescriptor } from "../../../net/listener.ts";
import { execute, setInherited } from "../../../os/process.ts";
import type { GivenSockets } from "../../connection/listeners.ts";
import { INHERITED, type Inherited } from "./messages.ts";
import { SuccessorProcess } from "./successor_process.ts";

/** The proxy of this process, as far as an upgrade goes. */
export interface Upgradable {
  /** Writes the last good state down: the new program starts from it. */
  keepState(): void;
  /** Further descriptors of all listening sockets; null when there are none left. */
  duplicates(): GivenSockets | null;
  /** Listens no longer; the kernel's queues are somebody else's. */
  stepAside(): void;
  /** Listens again, on these. */
  takeBack(sockets: GivenSockets): void;
  /** Lets all connections finish; resolves when the last one has ended. */
  retire(): Promise<void>;
  /** Closes what is left. @returns how many connections those were */
  cutOff(reason: string): Promise<number>;
  /** Ends what would keep the process busy. */
  close(): Promise<void>;
  /** Connections that are open. */
  readonly connections: number;
  readonly captureWorks: boolean;
}

export interface UpgradeOptions {
  readonly proxy: Upgradable;
  readonly log: Logger;
  /** What started this process. */
  readonly command: readonly string[];
  /** How long connections may take to end once the successor serves, milliseconds. */
  readonly graceMs: number;
  /** The process id must stay, also without being asked: its end would end a container. */
  readonly keepsPid: boolean;
  /** Children of the program before in this process that have not ended. */
  readonly children: () => readonly number[];
  /** Tells the process before this one, which may be finishing still. */
  readonly onReplaced: () => void;
}

export interface UpgradeRequest {
  /** Program to run instead of this one, absolute; null runs the file of this one again. */
  readonly binary: string | null;
  /** How long it may take to become ready. */
  readonly timeoutMs: number;
}

/** What became of a request. */
export type UpgradeOutcome =
  | {
    readonly ok: true;
    readonly pid: number;
    readonly version: string;
    readonly before: { readonly pid: number; readonly version: string; readonly connections: number };
    readonly graceMs: number;
    readonly keepsPid: boolean;
  }
  /** busy: try again later. failed: the new program did not come to serve; this one goes on. */
  | { readonly ok: false; readonly code: "busy" | "failed"; readonly reason: string };

/** "leaving": past the point where it could serve again. */
type State = "serving" | "starting" | "retiring" | "leaving";

export class Upgrade {
  readonly #options: UpgradeOptions;
  #state: State = "serving";
  #successor: SuccessorProcess | null = null;
  /** The listening sockets, kept so that they can be taken back. */
  #kept: GivenSockets = {};
  #deadline: ReturnType<typeof setTimeout> | undefined;
  /** SIGTERM while it retires. */
  #isTerminated = false;

  constructor(options: UpgradeOptions) {
    this.#options = options;
  }

  /** Another process serves; this one only finishes. */
  get isRetiring(): boolean {
    return this.#state === "retiring" || this.#state === "leaving";
  }

  /** Starts the new program; resolves once it serves, or will not. */
  async start(request: UpgradeRequest): Promise<UpgradeOutcome> {
    if (this.#state !== "serving") return { ok: false, code: "busy", reason: "an upgrade is under way" };
    const { log, graceMs, keepsPid, proxy } = this.#options;
    this.#state = "starting";
    const command = request.binary === null ? this.#options.command : [request.binary, "proxy"];
    log.info("an upgrade starts", { program: command[0] ?? "" });
    const started = await this.#startSuccessor(command, request.timeoutMs);
    if (typeof started === "string") {
      this.#state = "serving";
      this.#successor = null;
      log.error("the upgrade failed; this process goes on", { reason: started });
      return { ok: false, code: "failed", reason: started };
    }
    const { connections } = proxy;
    this.#retire(started, command);
    const before = { pid: process.pid, version: VERSION, connections };
    return { ok: true, pid: started.pid, version: started.version, before, graceMs, keepsPid };
  }

  /** The process that this one stood in for serves again: this one finishes what it has, and ends. */
  standDown(): void {
    const { proxy, log } = this.#options;
    this.#state = "retiring";
    proxy.stepAside();
    log.info("the process that this one stood in for serves again; this one finishes", {
      connections: proxy.connections,
    });
    this.#finish([]);
  }

  /** SIGTERM: a successor that does not serve yet ends, and who stands in for this process id. Resolves when it has. */
  async terminate(): Promise<void> {
    this.#isTerminated = true;
    if (this.#successor === null) return;
    if (this.#state === "starting") return this.#successor.kill("SIGKILL");
    if (!this.#options.keepsPid) return;
    this.#successor.kill("SIGTERM");
    await this.#successor.exited;
  }

  async #startSuccessor(command: readonly string[], timeoutMs: number): Promise<SuccessorProcess | string> {
    const { proxy, keepsPid } = this.#options;
    proxy.keepState();
    const sockets = proxy.duplicates();
    if (sockets === null) return "no descriptor is left (ulimit -n)";
    try {
      const plan = { command, sockets, captureWorks: proxy.captureWorks, standsIn: keepsPid };
      const successor = SuccessorProcess.start(plan);
      this.#successor = successor;
      const started = await successor.serving(timeoutMs);
      if (this.#isTerminated) {
        successor.kill("SIGKILL");
        return "this proxy is shutting down";
      }
      return started.ok ? successor : `${command[0]} ${started.reason}`;
    } catch (error) {
      return errorText(error);
    }
  }

  #retire(successor: SuccessorProcess, command: readonly string[]): void {
    const { proxy, log } = this.#options;
    this.#state = "retiring";
    this.#kept = proxy.duplicates() ?? {};
    proxy.stepAside();
    this.#options.onReplaced();
    const { pid, version } = successor;
    log.info("the successor serves; this process finishes", { pid, version, connections: proxy.connections });
    this.#finish(command);
    void successor.exited.then((code) => this.#onSuccessorGone(successor, code));
  }

  /** Lets connections end, for at most the grace; then this process leaves. */
  #finish(command: readonly string[]): void {
    this.#deadline = setTimeout(() => void this.#cutOff(command), this.#options.graceMs);
    void this.#options.proxy.retire().then(() => {
      clearTimeout(this.#deadline);
      if (this.#state === "retiring") void this.#leave(command);
    });
  }

  async #cutOff(command: readonly string[]): Promise<void> {
    if (this.#state !== "retiring") return;
    this.#state = "leaving";
    const connections = await this.#options.proxy.cutOff("upgrade_deadline");
    this.#options.log.warn("connections cut off at the end of the upgrade's grace", { connections });
    await this.#leave(command);
  }

  /** The successor has failed while this process is still there: it serves again. */
  #onSuccessorGone({ isReplaced }: SuccessorProcess, code: number): void {
    const { proxy, log } = this.#options;
    this.#successor = null;
    if (this.#isTerminated || this.#state === "leaving") return;
    if (isReplaced || code === 0) return; // another one serves, or somebody wanted it to end
    clearTimeout(this.#deadline);
    log.error("the successor has ended; this process serves again", { status: code });
    proxy.takeBack(this.#kept);
    this.#kept = {};
    this.#state = "serving";
  }

  async #leave(command: readonly string[]): Promise<void> {
    this.#state = "leaving";
    const { proxy, log, keepsPid } = this.#options;
    log.info("this process has finished its part of the upgrade");
    await proxy.close();
    const successor = this.#successor;
    if (!keepsPid || successor === null) process.exit(0);
    if (!this.#isTerminated) {
      this.#exec(command, successor);
      log.error("the new program cannot be executed in this process: it stays as the parent of the one that serves");
    }
    process.exit(await successor.exited);
  }

  /** Becomes the new program, with the sockets and the channel to the one that stands in. */
  #exec(command: readonly string[], successor: SuccessorProcess): void {
    const channel = successor.channelDescriptor();
    const inherited: Inherited = {
      role: "return",
      sockets: this.#kept,
      channel,
      pid: successor.pid,
      captureWorks: this.#options.proxy.captureWorks,
      standsIn: false,
      children: [successor.pid, ...this.#options.children()],
    };
    const descriptors = [channel, ...Object.values(this.#kept).map(({ fd }) => fd)];
    for (const fd of descriptors) setInherited(fd, true);
    const env: Record<string, string> = {};
    for (const [name, value] of Object.entries(process.env)) if (value !== undefined) env[name] = value;
    execute(command[0] ?? "", command, { ...env, [INHERITED]: JSON.stringify(inherited) });
    for (const fd of descriptors) closeDescriptor(fd);
  }
}
