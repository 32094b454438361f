/**
 * The body of one HTTP/1.1 message as it is sent. A message whose body does not have the length its head announced must
 * never look complete, nor run into the next one: the writer says so, and the connection is reset.
 */
import type { Outbox } from "../net/outbox.ts";
import type { HeaderBlock } from "../wire/header_block.ts";
import * as serialize from "../wire/http1/serialize.ts";

/** Nothing is sent: the message has no body, whatever its head says (HEAD, 204, 304). */
export const OMITTED = 0;
/** As many bytes as content-length announced. */
export const COUNTED = 1;
export const CHUNKED = 2;
/** Until the connection closes. */
export const UNTIL_CLOSE = 3;

export class Http1BodyWriter {
  #kind = OMITTED;
  #left = 0;

  get isChunked(): boolean {
    return this.#kind === CHUNKED;
  }

  /** @param length announced bytes, for COUNTED */
  begin(kind: number, length: number): void {
    this.#kind = kind;
    this.#left = length;
  }

  /** Sends bytes; false when they are more than was announced, and then none of them. */
  data(outbox: Outbox, buffer: Uint8Array, start: number, end: number): boolean {
    if (this.#kind === OMITTED || start === end) return true;
    if (this.#kind === COUNTED) {
      this.#left -= end - start;
      if (this.#left < 0) return false;
    }
    if (this.#kind !== CHUNKED) {
      outbox.append(buffer, start, end);
      return true;
    }
    serialize.appendChunkHeader(outbox.begin(), end - start);
    outbox.append(buffer, start, end);
    serialize.appendChunkEnd(outbox.begin());
    return true;
  }

  /** Ends the body; false when it is shorter than was announced. */
  end(outbox: Outbox): boolean {
    if (this.#kind === CHUNKED) serialize.appendLastChunk(outbox.begin());
    return this.#kind !== COUNTED || this.#left === 0;
  }

  /** Ends the body with trailers. Where HTTP/1.1 cannot say them they are left out: the body is complete without. */
  trailers(outbox: Outbox, trailers: HeaderBlock): boolean {
    if (this.#kind === CHUNKED && serialize.appendTrailers(outbox.begin(), trailers) === 0) return true;
    return this.end(outbox);
  }
}
