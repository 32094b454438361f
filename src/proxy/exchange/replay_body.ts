/** The beginning of a request's body, kept so that the request can be sent once more, or until there is somebody to send it to. */
import { BLAME, type Holder, type Holding, type PeerShare } from "../../http/waiting_budget.ts";
import { type Piece, WaitingBytes } from "../../http/waiting_bytes.ts";
import { partOfMemory } from "../../net/threads.ts";

/** Bytes of a request body kept for a second try (Linkerd's number): larger requests are sent once. */
export const MAX_REPLAY_BYTES = 64 * 1024;
/** The same for all requests together: beyond it they are sent once, too. 512 of the largest, for endpoints that are slow to answer. */
export const REPLAY_BYTES_BUDGET = 32 * 1024 * 1024;

let kept = 0;

/** Bytes kept for second tries by all requests of this thread. */
export function replayBytes(): number {
  return kept;
}

/** Whose body it is. */
export interface ReplayOwner {
  /** Too much waits for somebody to send it to: the request fails. */
  onBodyStuck(): void;
}

export class ReplayBody implements Holder {
  /** What is kept is the body from its first byte on, and nothing is missing: it can be sent (again). */
  isWhole = true;
  readonly #owner: ReplayOwner;
  readonly #share: PeerShare;
  readonly #bytes = new WaitingBytes();
  #total = 0;
  /** Bytes of it that count against the budget of second tries. */
  #counted = 0;
  /** Set while nobody else has the bytes: then they wait, and count as such. */
  #holding: Holding | null = null;

  /** @param share counts what waits for the client's request to be sent */
  constructor(owner: ReplayOwner, share: PeerShare) {
    this.#owner = owner;
    this.#share = share;
  }

  /** What is kept, in pieces; null for nothing. */
  get first(): Piece | null {
    return this.#bytes.first;
  }

  /** Takes bytes of the body. `must`: nobody else has them; flow control bounds how many those are. */
  keep(buffer: Uint8Array, start: number, end: number, must: boolean): void {
    const bytes = end - start;
    this.#total += bytes;
    if (!must && !this.#hasRoom(bytes)) this.#giveUp();
    if (!this.isWhole && !must) return;
    this.#bytes.append(buffer, start, end);
    this.#count(must);
  }

  /** The bytes were sent: those of a body that is too large to be sent again are dropped. */
  sent(): void {
    if (this.#hasRoom(this.#holding?.bytes ?? 0)) this.#count(false);
    else this.#giveUp();
  }

  /** Forgets the bytes. */
  drop(): void {
    this.#bytes.clear();
    this.#count(false);
  }

  onHeldTooLong(): void {
    this.drop();
    this.#owner.onBodyStuck();
  }

  #hasRoom(more: number): boolean {
    return this.#total <= MAX_REPLAY_BYTES && kept + more <= partOfMemory(REPLAY_BYTES_BUDGET);
  }

  #giveUp(): void {
    this.isWhole = false;
    this.drop();
  }

  /** Counts what is kept by the memory it takes: as waiting, or as kept for a second try. */
  #count(waits: boolean): void {
    const bytes = this.#bytes.memory;
    if (waits) (this.#holding ??= this.#share.hold(this)).set(bytes, BLAME.unclear);
    else if (this.#holding !== null) {
      this.#holding.release();
      this.#holding = null;
    }
    kept += (waits ? 0 : bytes) - this.#counted;
    this.#counted = waits ? 0 : bytes;
  }
}
