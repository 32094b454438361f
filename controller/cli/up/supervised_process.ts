/** A child process that is started again when it ends, with growing pauses, until it is stopped. */
import { closeSync, openSync } from "node:fs";
import { lastLines } from "./state_folder.ts";

/** First pause before a restart; doubled each time. */
const FIRST_PAUSE_MS = 500;
/** Longest pause. */
const MAX_PAUSE_MS = 10_000;
/** A process that ran this long counts as healthy: its next restart waits the first pause again. */
const HEALTHY_MS = 10_000;
/** Lines of its log that a report repeats. */
const REPORTED_LINES = 5;

export interface ProcessPlan {
  /** What people call it: "shop/front-0 sidecar". */
  readonly name: string;
  readonly command: readonly string[];
  readonly workingDir: string;
  readonly env: Readonly<Record<string, string>>;
  /** Its stdout and stderr are appended here. */
  readonly logFile: string;
  /** User and group to run as, null for ours. */
  readonly uid: number | null;
  /** Where it is born: runs its argument inside the right namespaces. */
  readonly inside: <T>(work: () => T) => T;
}

/** How a process that should be running ended. */
export interface ProcessEnd {
  readonly name: string;
  /** "exit status 1" or "SIGKILL". */
  readonly how: string;
  readonly restartInMs: number;
  readonly lastLines: readonly string[];
}

export class SupervisedProcess {
  readonly plan: ProcessPlan;
  /** How often it was started again. */
  restarts = 0;
  readonly #onEnd: (end: ProcessEnd) => void;
  #child: Bun.Subprocess | null = null;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #pauseMs = FIRST_PAUSE_MS;
  #startedAt = 0;
  #stopping = false;

  constructor(plan: ProcessPlan, onEnd: (end: ProcessEnd) => void) {
    this.plan = plan;
    this.#onEnd = onEnd;
  }

  get running(): boolean {
    return this.#child !== null;
  }

  /** Process number, or null when it does not run now. */
  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  start(): void {
    const { plan } = this;
    if (this.#stopping) return;
    this.#timer = null;
    this.#startedAt = performance.now();
    const log = openSync(plan.logFile, "a", 0o644);
    try {
      const options = {
        cwd: plan.workingDir,
        env: { ...plan.env },
        stdio: ["ignore", log, log],
        ...(plan.uid === null ? {} : { uid: plan.uid, gid: plan.uid }),
        onExit: (_: unknown, status: number | null, signal: number | null) => this.#ended(status, signal),
      };
      // `uid` and `gid` are absent from bun-types.
      this.#child = plan.inside(() => Bun.spawn([...plan.command], options as Parameters<typeof Bun.spawn>[1]));
    } catch (error) {
      queueMicrotask(() => this.#again(error instanceof Error ? error.message : String(error)));
    } finally {
      closeSync(log);
    }
  }

  /** Sends SIGTERM, after the grace SIGKILL, and waits for the end. @returns whether it ended by itself in time */
  async stop(graceMs: number): Promise<boolean> {
    this.#stopping = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    const child = this.#child;
    if (child === null) return true;
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), graceMs);
    await child.exited;
    clearTimeout(timer);
    this.#child = null; // the callback of its end may come later
    return child.signalCode !== "SIGKILL";
  }

  #ended(status: number | null, signal: number | null): void {
    const name = this.#child?.signalCode ?? (signal === null ? `exit status ${status}` : `signal ${signal}`);
    this.#child = null;
    if (this.#stopping) return;
    this.#again(String(name));
  }

  #again(how: string): void {
    if (this.#stopping) return;
    if (performance.now() - this.#startedAt >= HEALTHY_MS) this.#pauseMs = FIRST_PAUSE_MS;
    const restartInMs = this.#pauseMs;
    this.#pauseMs = Math.min(MAX_PAUSE_MS, this.#pauseMs * 2);
    this.#timer = setTimeout(() => {
      this.restarts++;
      this.start();
    }, restartInMs);
    const { name, logFile } = this.plan;
    this.#onEnd({ name, how, restartInMs, lastLines: lastLines(logFile, REPORTED_LINES) });
  }
}
