/** The controller under load: its process, and what the kernel says about it. */
import { type Child, startProcess } from "../../support/process.ts";
import { cpuNs, memory } from "../../support/proc.ts";
import { tulleCommand } from "../../support/tulle_command.ts";

/** 5 000 pods take some seconds to list and read on a busy machine. */
const READY_TIMEOUT_MS = 120_000;

export interface Usage {
  readonly rssMb: number;
  readonly anonMb: number;
  readonly cpuMs: number;
}

export class ControllerProcess implements AsyncDisposable {
  readonly child: Child;
  readonly port: number;
  readonly admin: string;
  /** From exec until it serves. */
  readonly readyMs: number;

  private constructor(child: Child, port: number, admin: string, readyMs: number) {
    this.child = child;
    this.port = port;
    this.admin = admin;
    this.readyMs = readyMs;
  }

  /** Starts it on a cluster and waits until it is ready. @param args further ones @throws Error with its words */
  static async start(kubeconfig: string, args: readonly string[] = []): Promise<ControllerProcess> {
    const since = performance.now();
    const child = startProcess({
      name: "controller",
      argv: [
        ...tulleCommand(),
        ...["controller", "--kubernetes", "--kubeconfig", kubeconfig],
        ...["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"],
        ...args,
      ],
    });
    try {
      const [line] = await child.waitForOutput(/\{"ready":true.*\}/, READY_TIMEOUT_MS);
      const { listen, admin } = JSON.parse(line) as { listen: string; admin: string }; // printed by us
      return new ControllerProcess(
        child,
        Number(listen.slice(listen.lastIndexOf(":") + 1)),
        admin,
        performance.now() - since,
      );
    } catch (error) {
      await child.stop();
      throw error;
    }
  }

  usage(): Usage {
    const pids = [this.child.pid];
    return { ...memory(pids), cpuMs: cpuNs(pids) / 1e6 };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.child.stop();
  }
}
