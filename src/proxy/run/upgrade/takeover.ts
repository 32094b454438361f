/** The other end of an upgrade: this process has inherited the sockets of another one. */
import type { Logger } from "../../../base/log.ts";
import { VERSION } from "../../../base/version.ts";
import { LineChannel, type LineChannelOwner } from "../../../net/line_channel.ts";
import { isDescriptor, reap, setInherited } from "../../../os/process.ts";
import { type Inherited, parseMessage, type UpgradeMessage } from "./messages.ts";

/** How often it is looked whether everything is there. */
const LOOK_MS = 10;
/** … and the other process told what is missing, in looks. */
const LOOKS_PER_REPORT = 50;
/** How often it is looked whether a child has ended that the program before has left. */
const REAP_MS = 1000;

export class Takeover implements LineChannelOwner {
  readonly inherited: Inherited;
  readonly #log: Logger;
  readonly #channel: LineChannel;
  readonly #onRetire: () => void;
  readonly #children: Set<number>;
  #standsIn: boolean;

  /**
   * @param onRetire the other process serves again, and this one has only stood in
   * @throws Error when the sockets are not there
   */
  constructor(inherited: Inherited, log: Logger, onRetire: () => void) {
    this.inherited = inherited;
    this.#log = log;
    this.#onRetire = onRetire;
    this.#standsIn = inherited.standsIn;
    for (const fd of [inherited.channel, ...Object.values(inherited.sockets).map((socket) => socket.fd)]) {
      if (!isDescriptor(fd)) throw new Error(`descriptor ${fd} was announced and is not there: start it by an upgrade`);
      setInherited(fd, false);
    }
    this.#channel = new LineChannel(inherited.channel, this);
    this.#children = new Set(inherited.children);
    for (const pid of inherited.children) this.#reapLater(pid);
    if (inherited.role === "succeed") this.#send({ type: "hello", pid: process.pid, version: VERSION });
  }

  /** This process is to go when the other one is back. */
  get standsIn(): boolean {
    return this.#standsIn;
  }

  /** Children that the program before has left, and that are alive. */
  get children(): readonly number[] {
    return [...this.#children];
  }

  /** Resolves when nothing is missing; tells the other process meanwhile what is. */
  async whenNothing(missing: () => readonly string[]): Promise<void> {
    for (let look = 0;; look++) {
      const reasons = missing();
      if (reasons.length === 0) return;
      if (look % LOOKS_PER_REPORT === 0) this.#send({ type: "waiting", reasons });
      await Bun.sleep(LOOK_MS);
    }
  }

  /** This process will not serve, and is about to end. */
  failed(reason: string): void {
    this.#send({ type: "failed", reason });
  }

  /** This process serves: the other one retires. */
  serving(): void {
    this.#send({ type: this.inherited.role === "succeed" ? "serving" : "retire" });
  }

  /** Another process has taken the place of this one. */
  replaced(): void {
    if (this.inherited.role === "succeed") this.#send({ type: "replaced" });
  }

  onLine(line: string): void {
    if (parseMessage(line)?.type !== "retire" || !this.#standsIn) return;
    this.#standsIn = false;
    this.#onRetire();
  }

  onChannelClosed(): void {
    if (!this.#standsIn) return;
    this.#standsIn = false;
    this.#log.warn("the process that this one stood in for is gone: this one stays");
  }

  #send(message: UpgradeMessage): void {
    this.#channel.send(JSON.stringify(message));
  }

  #reapLater(pid: number): void {
    const timer = setInterval(() => {
      if (!reap(pid)) return;
      clearInterval(timer);
      this.#children.delete(pid);
    }, REAP_MS);
  }
}
