/** Events of tap on their way to the main thread, several in one message. */
import type { AccessEntry } from "../../../telemetry/access_log.ts";

/** Events of one message; what comes on top until it leaves is dropped: tap is for looking, not for recording. */
const MAX_EVENTS = 1024;
/** Time until a message leaves, milliseconds: live for a person, cheap at 10,000 requests a second. */
const BATCH_MS = 20;

export class EventBatch {
  readonly #send: (entries: readonly AccessEntry[]) => void;
  #entries: AccessEntry[] = [];

  constructor(send: (entries: readonly AccessEntry[]) => void) {
    this.#send = send;
  }

  add(entry: AccessEntry): void {
    if (this.#entries.length === 0) setTimeout(() => this.#leave(), BATCH_MS);
    if (this.#entries.length < MAX_EVENTS) this.#entries.push(entry);
  }

  #leave(): void {
    const entries = this.#entries;
    this.#entries = [];
    this.#send(entries);
  }
}
