/** The body of one HTTP/1.1 message as it arrives, whatever its framing (RFC 9112 §6). */
import type { HeaderBlock } from "../wire/header_block.ts";
import * as chunked from "../wire/http1/chunked.ts";
import { FRAMING_CHUNKED, FRAMING_LENGTH } from "../wire/http1/framing.ts";

/** All bytes given were consumed; the body goes on. */
export const NEED_MORE = chunked.NEED_MORE;
/** [dataStart, dataEnd) of the buffer is body; more may follow. */
export const DATA = chunked.DATA;
/** The body is complete; `trailers` is set. */
export const END = chunked.END;
/** [dataStart, dataEnd) is the last of the body. */
export const LAST = 3;

export class Http1BodyReader {
  dataStart = 0;
  dataEnd = 0;
  /** Where the next call continues. */
  position = 0;
  /** Set by END: trailers that may be passed on, or null. */
  trailers: HeaderBlock | null = null;
  #framing = 0;
  #left = 0;
  #chunks: chunked.ChunkedDecoder | null = null;

  /** @param length bytes of the body when it is framed by its length */
  begin(framing: number, length: number): void {
    this.#framing = framing;
    this.#left = length;
    if (framing !== FRAMING_CHUNKED) return;
    this.#chunks ??= new chunked.ChunkedDecoder();
    this.#chunks.reset();
  }

  /** @returns the next event, or a negative code of wire/http1/error_code.ts */
  next(buffer: Uint8Array, start: number, end: number): number {
    if (this.#framing === FRAMING_CHUNKED) return this.#nextChunk(buffer, start, end);
    if (start === end) return NEED_MORE;
    const n = this.#framing === FRAMING_LENGTH ? Math.min(this.#left, end - start) : end - start;
    this.dataStart = start;
    this.dataEnd = this.position = start + n;
    if (this.#framing !== FRAMING_LENGTH) return DATA;
    this.#left -= n;
    return this.#left === 0 ? LAST : DATA;
  }

  #nextChunk(buffer: Uint8Array, start: number, end: number): number {
    const chunks = this.#chunks as chunked.ChunkedDecoder; // set by begin
    const event = chunks.next(buffer, start, end);
    this.position = chunks.position;
    this.dataStart = chunks.dataStart;
    this.dataEnd = chunks.dataEnd;
    if (event === END) this.trailers = chunks.trailers;
    return event;
  }
}
