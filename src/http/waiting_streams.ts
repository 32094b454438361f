/**
 * Streams of one connection that wait for its window or for room in its outbox, in the order in which they began to. One
 * that waits for its own window is not among them: it is found by its id when that opens, and walks must not pay for it.
 */
import type { Http2Stream } from "./http2_stream.ts";

/** Ended streams in the list before it is worth clearing. */
const MIN_ENDED = 64;

export class WaitingStreams {
  #list: Http2Stream[] = [];
  /** Streams in the list that have ended. */
  #ended = 0;
  #pumping = false;

  /** Streams on the list, ended ones included. */
  get length(): number {
    return this.#list.length;
  }

  /** Puts a stream on the list, unless it is there. */
  add(stream: Http2Stream): void {
    if (stream.waiting) return;
    stream.waiting = true;
    this.#list.push(stream);
  }

  /** A stream of the list has ended. Its place is cleared when many have: the window that would do it may never come. */
  ended(): void {
    this.#ended++;
    if (this.#pumping || this.#ended < MIN_ENDED || this.#ended * 2 < this.#list.length) return;
    this.#list = this.#list.filter(isOpen);
    this.#ended = 0;
  }

  clear(): void {
    this.#list.length = 0;
  }

  /** Lets streams send while `mayWrite` says that there is room. */
  pump(connection: { readonly mayWrite: boolean }): void {
    const list = this.#list;
    if (list.length === 0 || this.#pumping) return;
    this.#pumping = true;
    let kept = 0;
    for (let i = 0; i < list.length; i++) {
      const stream = list[i] as Http2Stream; // in range
      const leaves = connection.mayWrite ? stream.pump() || stream.sendWindow <= 0 : stream.closed;
      if (leaves) stream.waiting = false;
      else list[kept++] = stream;
    }
    list.length = Math.min(kept, list.length); // cleared meanwhile when the connection ended
    this.#ended = 0;
    this.#pumping = false;
    // The head of the list gets the room first next time; rotate so that nobody starves.
    if (list.length > 1) list.push(list.shift() as Http2Stream); // not empty
  }
}

function isOpen(stream: Http2Stream): boolean {
  return !stream.closed;
}
