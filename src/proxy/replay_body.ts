/** The beginning of a request's body, kept so that the request can be sent once more, or until there is somebody to send it to. */
import { ByteSink } from "../base/byte_sink.ts";

/** Bytes of a request body kept for a second try (Linkerd's number): larger requests are sent once. */
export const MAX_REPLAY_BYTES = 64 * 1024;

export class ReplayBody {
  /** What is kept is the body from its first byte on, and nothing is missing: it can be sent (again). */
  isWhole = true;
  #bytes: ByteSink | null = null;
  #total = 0;

  /** What is kept; null for nothing. */
  get bytes(): ByteSink | null {
    return this.#bytes === null || this.#bytes.length === 0 ? null : this.#bytes;
  }

  /** Takes bytes of the body. `must`: nobody else has them; flow control bounds how many those are. */
  keep(buffer: Uint8Array, start: number, end: number, must: boolean): void {
    this.#total += end - start;
    if (this.#total > MAX_REPLAY_BYTES && !must) {
      this.isWhole = false;
      this.#bytes = null;
      return;
    }
    if (!this.isWhole && !must) return;
    (this.#bytes ??= new ByteSink(end - start)).append(buffer, start, end);
  }

  /** The bytes were sent: those of a body that is too large to be sent again are dropped. */
  sent(): void {
    if (this.#total <= MAX_REPLAY_BYTES) return;
    this.isWhole = false;
    this.#bytes = null;
  }
}
