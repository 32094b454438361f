/** Looks for what does not fit together after changes, now and then and in turns: a look resolves everything there is. */
import { errorText } from "../src/base/error.ts";
import type { Logger } from "../src/base/log.ts";
import type { WorldSource } from "./index/world_source.ts";
import type { ConfigWarning } from "./index/world.ts";

/** Shortest time between a change and a look, milliseconds. */
const MIN_WAIT_MS = 2000;
/** A look may take this share of the time: a cluster where something changes all the time costs no more. */
const SHARE = 0.02;

export class WarningWatch {
  readonly #worlds: WorldSource;
  readonly #log: Logger;
  /** Of the last look. */
  current: readonly ConfigWarning[] = [];
  #told = new Set<string>();
  #waitMs = MIN_WAIT_MS;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #closed = false;

  /** Looks once now, and after each change from then on. */
  constructor(worlds: WorldSource, log: Logger) {
    this.#worlds = worlds;
    this.#log = log;
    worlds.onChange(() => this.#schedule());
    void this.#look();
  }

  close(): void {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  #schedule(): void {
    if (this.#timer !== null || this.#closed) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      void this.#look();
    }, this.#waitMs);
    this.#timer.unref();
  }

  async #look(): Promise<void> {
    const since = performance.now();
    try {
      const warnings = await this.#worlds.current.warningsInTurns(nextTurn);
      if (this.#closed) return;
      this.#tell(warnings);
      this.current = warnings;
    } catch (error) {
      this.#log.error("cannot look for what does not fit together", { reason: errorText(error) });
    }
    this.#waitMs = Math.max(MIN_WAIT_MS, (performance.now() - since) / SHARE);
  }

  /** Each warning once while it lasts. */
  #tell(warnings: readonly ConfigWarning[]): void {
    const now = new Set(warnings.map(warningText));
    for (const warning of now) {
      if (!this.#told.has(warning)) this.#log.warn("the configuration does not fit together", { warning });
    }
    this.#told = now;
  }
}

/** One line. */
export function warningText({ object, detail }: ConfigWarning): string {
  return `${object}: ${detail}`;
}

/** Lets everything that waits go first. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
