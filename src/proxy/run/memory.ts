/**
 * Gives memory back after the start and after bursts of work. The runtime collects when it allocates, and so never in a proxy
 * that has nothing to do: what the start left behind would stay for good (a third of its private memory, measured).
 */

import { dropPieces } from "../../http/waiting_bytes.ts";
import { dropCodePages } from "../../net/code_pages.ts";
import { compileReluctantly } from "../../net/jit_policy.ts";
import { dropBuffers } from "../../net/outbox.ts";

/** CPU time that makes a trim worth while: less cannot have left much behind. */
export const MIN_WORK_MS = 300;
/** CPU time between two looks up to which the proxy counts as idle: some requests a second, or scrapes. */
export const MAX_IDLE_MS = 50;
/** Wait for what follows the start (certificate, streams, policy) before its remains are collected. */
const AFTER_START_SECONDS = 3;
/** CPU time in a second above which the first trim waits: it drops compiled code, which a busy proxy would only compile again. */
export const BUSY_START_MS = 100;

/** What it needs of the runtime. */
export interface MemoryRuntime {
  /** CPU time of this process, milliseconds. */
  cpuMs(): number;
  /** Drops buffers that are kept for later, collects everything, drops compiled code that can be made again, and returns pages. Takes some 10 ms. */
  trim(): void;
}

export class MemoryTrimmer {
  readonly #runtime: MemoryRuntime;
  #atTrimMs = 0;
  #atLookMs = 0;

  constructor(runtime: MemoryRuntime) {
    this.#runtime = runtime;
  }

  /** Trims once, as soon as the proxy has started and is not busy. @returns ends the wait */
  start(): () => void {
    let seconds = 0;
    let beforeMs = this.#runtime.cpuMs();
    const timer = setInterval(() => {
      const nowMs = this.#runtime.cpuMs();
      const isBusy = nowMs - beforeMs > BUSY_START_MS;
      beforeMs = nowMs;
      if (++seconds < AFTER_START_SECONDS || isBusy) return;
      clearInterval(timer);
      this.#trim();
    }, 1000);
    return () => clearInterval(timer);
  }

  /** Trims when the proxy has worked since the last time and has nothing to do now. Call every half minute. */
  look(): void {
    const nowMs = this.#runtime.cpuMs();
    const isIdle = nowMs - this.#atLookMs <= MAX_IDLE_MS;
    this.#atLookMs = nowMs;
    if (isIdle && nowMs - this.#atTrimMs >= MIN_WORK_MS) this.#trim();
  }

  #trim(): void {
    this.#runtime.trim();
    this.#atTrimMs = this.#runtime.cpuMs(); // its own work does not count
  }
}

/** Drops what this thread keeps for later, and collects everything. */
export function trimHeap(): void {
  compileReluctantly();
  dropBuffers();
  dropPieces();
  Bun.gc(true);
  Bun.shrink();
}

/**
 * Collects between two steps of the start. What the first has left would lie among what the next ones keep, and hold its
 * pages for good; now they move into the gaps (twice: 0.3 MB of private memory less when idle, for 3 ms of CPU time each).
 */
export function collectGaps(): void {
  Bun.gc(true);
}

/** This process. */
export const RUNTIME: MemoryRuntime = {
  cpuMs() {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  },
  trim() {
    dropCodePages(); // first, for it leaves garbage
    trimHeap();
  },
};
