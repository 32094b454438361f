/**
 * Tells findings as Events: each once while it lasts, and again after an hour, since the cluster forgets events then. One
 * controller tells; the others only look.
 */
import { errorText } from "../../src/base/error.ts";

/** How often is looked, milliseconds: a thousandth of a second for thousands of objects. */
const LOOK_MS = 5_000;
/** Events of one look; the next one goes on. A namespace that was just annotated may have thousands of pods. */
const EVENTS_PER_LOOK = 20;
const REMINDER_MS = 3_600_000;

export interface Telling<T> {
  /** What is found now. */
  readonly find: () => readonly T[];
  /** Equal for findings that are the same, and need not be told again. */
  readonly keyOf: (found: T) => string;
  /** Writes the event. @throws ApiError: then it is tried again at the next look */
  readonly tell: (found: T) => Promise<void>;
  readonly isWriter: () => boolean;
  readonly onTrouble: (found: T, detail: string) => void;
  /** Wall clock. */
  readonly now: () => number;
}

export class EventTeller<T> {
  readonly #telling: Telling<T>;
  /** When each was told, by its key. */
  readonly #told = new Map<string, number>();
  #timer: ReturnType<typeof setInterval> | null = null;
  #running = false;

  constructor(telling: Telling<T>) {
    this.#telling = telling;
  }

  start(): void {
    this.#timer = setInterval(() => void this.look(), LOOK_MS);
  }

  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
  }

  /** One look; those that were told are passed over. */
  async look(): Promise<void> {
    const { find, isWriter } = this.#telling;
    const found = find();
    if (this.#running || !isWriter()) return;
    this.#running = true;
    try {
      await this.#tellNew(found);
    } finally {
      this.#running = false;
    }
  }

  async #tellNew(found: readonly T[]): Promise<void> {
    const { keyOf, now } = this.#telling;
    const keys = new Set(found.map(keyOf));
    for (const key of this.#told.keys()) if (!keys.has(key)) this.#told.delete(key);
    const untold = found.filter((each) => now() - (this.#told.get(keyOf(each)) ?? -Infinity) >= REMINDER_MS);
    for (const each of untold.slice(0, EVENTS_PER_LOOK)) await this.#tell(each);
  }

  async #tell(found: T): Promise<void> {
    const { tell, keyOf, onTrouble, now } = this.#telling;
    try {
      await tell(found);
      this.#told.set(keyOf(found), now());
    } catch (error) {
      onTrouble(found, errorText(error));
    }
  }
}
