/** Puts the bytes of one direction of a TCP connection back in order. */

/** Segments kept that came too early. More means that one was lost to the watcher, and the rest cannot be judged. */
const MAX_EARLY = 256;

export class TcpHalf {
  /** A segment was lost to the watcher: what follows is not handed on. */
  broken = false;
  readonly #onBytes: (bytes: Uint8Array) => void;
  readonly #early = new Map<number, Uint8Array>();
  #next: number;

  /** @param next sequence number of the first byte @param onBytes gets views that are valid during the call only */
  constructor(next: number, onBytes: (bytes: Uint8Array) => void) {
    this.#next = next >>> 0;
    this.#onBytes = onBytes;
  }

  /** Takes a segment. */
  push(sequence: number, payload: Uint8Array): void {
    if (this.broken || payload.length === 0) return;
    const ahead = (sequence - this.#next) | 0; // sequence numbers wrap
    if (ahead > 0) {
      if (this.#early.size >= MAX_EARLY) this.broken = true;
      else if (!this.#early.has(sequence)) this.#early.set(sequence, payload.slice());
      return;
    }
    this.#deliver(ahead, payload);
    for (let found = this.#takeEarly(); found !== null; found = this.#takeEarly()) {
      this.#deliver(found.ahead, found.payload);
    }
  }

  /** @param ahead 0, or negative for bytes that were seen before (a retransmission) */
  #deliver(ahead: number, payload: Uint8Array): void {
    const fresh = payload.subarray(Math.min(payload.length, -ahead));
    if (fresh.length === 0) return;
    this.#next = (this.#next + fresh.length) >>> 0;
    this.#onBytes(fresh);
  }

  #takeEarly(): { ahead: number; payload: Uint8Array } | null {
    for (const [sequence, payload] of this.#early) {
      const ahead = (sequence - this.#next) | 0;
      if (ahead > 0) continue;
      this.#early.delete(sequence);
      return { ahead, payload };
    }
    return null;
  }
}
