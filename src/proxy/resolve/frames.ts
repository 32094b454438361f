/** Messages in a stream: each behind its length(2) (RFC 1035 §4.2.2). */

const LENGTH_BYTES = 2;

/** Watches bytes that are passed on as they are; keeps one message at most, 64 KiB. */
export class Frames {
  #kept = new Uint8Array(0);

  /** @param onMessage gets each message that is complete; it is the callee's until it returns */
  take(bytes: Uint8Array, onMessage: (message: Uint8Array) => void): void {
    let all = bytes;
    if (this.#kept.length > 0) {
      all = new Uint8Array(this.#kept.length + bytes.length);
      all.set(this.#kept);
      all.set(bytes, this.#kept.length);
    }
    let at = 0;
    while (at + LENGTH_BYTES <= all.length) {
      const end = at + LENGTH_BYTES + (((all[at] as number) << 8) | (all[at + 1] as number)); // in range
      if (end > all.length) break;
      onMessage(all.subarray(at + LENGTH_BYTES, end));
      at = end;
    }
    this.#kept = new Uint8Array(all.subarray(at)); // `slice` of a Buffer would not copy
  }
}
