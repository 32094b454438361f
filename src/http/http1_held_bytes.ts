/** Bytes of an HTTP/1.1 connection that wait: the beginning of a head, or what must not be read yet. */
import { freeBuffer } from "../net/lent_buffer.ts";
import { findHeadEnd } from "../wire/http1/head_end.ts";
import { BLAME, type Holder, type Holding, type PeerShare } from "./waiting_budget.ts";
import { PartialBytes } from "./partial_bytes.ts";

/** Reads bytes; what it cannot read yet it gives back by `keep`. */
export interface BytesReader {
  readBytes(buffer: Uint8Array, start: number, end: number): void;
}

/** Whose bytes they are. */
export interface HeldBytesOwner {
  /** Too much of the peer's waits, or for too long: the connection is given up. */
  onOutboxStuck(): void;
}

export class HeldBytes implements Holder {
  readonly #owner: HeldBytesOwner;
  readonly #share: PeerShare | null;
  /** Set while something is held. */
  #holding: Holding | null = null;
  readonly #bytes = new PartialBytes();
  /** Where what waits begins: what was read before it stays in place, so that many short messages cost linear time. */
  #at = 0;
  /** How many of the bytes that wait are known not to hold the end of a head. */
  #scanned = 0;

  /** @param share counts what waits for the rest of a head, or for its turn; null for nobody */
  constructor(owner: HeldBytesOwner, share: PeerShare | null) {
    this.#owner = owner;
    this.#share = share;
  }

  onHeldTooLong(): void {
    const { buffer } = this.#bytes;
    this.clear();
    freeBuffer(buffer); // not left to the collector: there are many at once
    this.#owner.onOutboxStuck();
  }

  /** Bytes that wait. */
  get length(): number {
    return this.#bytes.length - this.#at;
  }

  /** True for a head of which the beginning was looked at before. */
  get isResumed(): boolean {
    return this.#scanned > 0;
  }

  /** Keeps bytes, behind those that wait; or, of the buffer that `read` gave out, what begins at `start`. */
  keep(buffer: Uint8Array, start: number, end: number): void {
    if (buffer === this.#bytes.buffer) this.#at = start;
    else this.#bytes.append(buffer, start, end);
    this.#count();
  }

  /** Keeps the beginning of a head, in which no end was found. */
  keepHead(buffer: Uint8Array, start: number, end: number): void {
    this.keep(buffer, start, end);
    this.#scanned = end - start;
  }

  /** Adds to the beginning of a head, looking only at what is new. False: the end is still to come. */
  completesHead(buffer: Uint8Array): boolean {
    const bytes = this.#bytes;
    bytes.append(buffer, 0, buffer.length);
    this.#count();
    const at = this.#at;
    if (findHeadEnd(bytes.buffer, at, bytes.length, at + this.#scanned) !== 0) return true;
    this.#scanned = bytes.length - at;
    return false;
  }

  /**
   * What findHeadEnd says about a head that begins at `start`, maybe one whose beginning was held.
   *
   * @param skipped bytes before `start` that were held with it
   */
  findHead(buffer: Uint8Array, start: number, end: number, skipped: number): number {
    const found = findHeadEnd(buffer, start, end, Math.max(start, start - skipped + this.#scanned));
    this.#scanned = 0;
    return found;
  }

  /** Lets all be read. */
  read(reader: BytesReader): void {
    const bytes = this.#bytes;
    const { buffer, length } = bytes;
    const start = this.#at;
    this.#at = length;
    reader.readBytes(buffer, start, length);
    if (this.#at === bytes.length) this.clear();
  }

  clear(): void {
    this.#bytes.clear();
    this.#at = 0;
    this.#holding?.release();
    this.#holding = null;
  }

  #count(): void {
    if (this.#share === null) return;
    (this.#holding ??= this.#share.hold(this)).set(this.#bytes.buffer.length, BLAME.own);
  }
}
