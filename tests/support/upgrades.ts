/** Upgrades of sidecars, by the command that a person uses; whatever processes they leave are ended with the scope. */
import { readdirSync, readFileSync } from "node:fs";
import type { Part } from "./mesh.ts";
import { isAlive } from "./proc.ts";
import { type Finished, run } from "./process.ts";
import { tulleCommand } from "./tulle_command.ts";

export interface Upgraded {
  readonly ok: boolean;
  readonly reason: string;
  readonly pid: number;
  readonly version: string;
  readonly keepsPid: boolean;
  readonly before: { readonly pid: number; readonly version: string; readonly connections: number };
}

export class Upgrades implements AsyncDisposable {
  readonly #pids = new Set<number>();

  /** `tulle proxy upgrade` with these arguments besides the address. */
  async command(part: Part, ...argv: readonly string[]): Promise<Finished> {
    const address = new URL(part.adminUrl).host;
    const command = [...tulleCommand(), "proxy", "upgrade", "--admin", address, ...argv];
    return await run({ argv: command, name: `upgrade of ${part.name}`, timeoutMs: 90_000 });
  }

  /** The same; fails the test when the upgrade fails. */
  async of(part: Part, ...argv: readonly string[]): Promise<Upgraded> {
    const { code, stdout, stderr } = await this.command(part, "-o", "json", ...argv);
    if (code !== 0) throw new Error(`${part.name} was not upgraded: ${stderr}${part.child().output().slice(-1500)}`);
    const answer = JSON.parse(stdout) as Upgraded; // as printed by the command
    this.#pids.add(answer.pid);
    this.#pids.add(answer.before.pid);
    return answer;
  }

  /** Processes of upgrades that are alive. */
  alive(): number[] {
    return [...this.#pids].filter(isAlive);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const pid of this.alive()) process.kill(pid, "SIGKILL");
    while (this.alive().length > 0) await Bun.sleep(10);
  }
}

/** Processes whose environment has this text, such as the folder of a mesh. */
export function processesWith(text: string): number[] {
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => {
    try {
      return pid !== process.pid && isAlive(pid) && readFileSync(`/proc/${pid}/environ`, "utf8").includes(text);
    } catch {
      return false; // it has ended
    }
  });
}
