/** Says that something in some folders may have changed: by events where the system gives them, by the clock in any case. */
import { type FSWatcher, watch } from "node:fs";

/** How long it must be quiet before a change is acted on, milliseconds: editors write a file in several steps. */
const QUIET_MS = 50;
/** How long changes may go on before they are acted on all the same, milliseconds. */
const MAX_WAIT_MS = 1000;
/** How often to look without an event, milliseconds: network file systems and replaced folders give none. */
const RESCAN_MS = 2000;

export class ChangeSignal {
  readonly #folders: readonly string[];
  readonly #onChange: () => boolean;
  readonly #watchers = new Map<string, FSWatcher>();
  readonly #rescan: ReturnType<typeof setInterval>;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #firstMs = 0;
  #closed = false;

  /** @param onChange looks and acts; returns true to be called again after a moment */
  constructor(folders: Iterable<string>, onChange: () => boolean) {
    this.#folders = [...new Set(folders)];
    this.#onChange = onChange;
    this.#watchAll();
    this.#rescan = setInterval(() => this.#fire(), RESCAN_MS);
  }

  /** Asks for a look after the quiet period. */
  poke(): void {
    if (this.#closed) return;
    const now = performance.now();
    if (this.#timer === null) this.#firstMs = now;
    else if (now - this.#firstMs > MAX_WAIT_MS) return;
    else clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#fire(), QUIET_MS);
  }

  /** Stops watching. */
  close(): void {
    this.#closed = true;
    clearInterval(this.#rescan);
    if (this.#timer !== null) clearTimeout(this.#timer);
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  #fire(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#watchAll();
    if (this.#onChange()) this.poke();
  }

  /** Watches the folders that are not watched yet; those that cannot be are left to the clock. */
  #watchAll(): void {
    for (const folder of this.#folders) {
      if (this.#watchers.has(folder)) continue;
      try {
        const watcher = watch(folder, () => this.poke());
        watcher.on("error", () => this.#drop(folder, watcher));
        this.#watchers.set(folder, watcher);
      } catch {
        // not there (yet), or no more inotify instances: the clock finds the changes
      }
    }
  }

  #drop(folder: string, watcher: FSWatcher): void {
    watcher.close();
    if (this.#watchers.get(folder) === watcher) this.#watchers.delete(folder);
  }
}
