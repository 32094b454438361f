import type { HeaderBlock } from "../header_block.ts";
import { CR, HEX_VALUE, LF, VALUE_BYTE } from "./_bytes.ts";
import { parseTrailers } from "./_trailers.ts";
import {
  BAD_CHUNK_END,
  BAD_CHUNK_EXTENSION,
  BAD_CHUNK_SIZE,
  BAD_LINE_END,
  CHUNK_EXTENSION_TOO_LONG,
  CONTROL_BYTE,
  TRAILERS_TOO_LONG,
} from "./error_code.ts";
import {
  MAX_CHUNK_EXTENSION_BYTES,
  MAX_CHUNK_SIZE_DIGITS,
  MAX_EXTENSION_DEBT_BYTES,
  MAX_TRAILER_BYTES,
} from "./limits.ts";

/** All bytes given were consumed. */
export const NEED_MORE = 0;
/** [dataStart, dataEnd) of the buffer is body data. */
export const DATA = 1;
/** The body is complete; `trailers` is set and `position` is the first byte behind the body. */
export const END = 2;

/*
 * SIZE ─digits─┬─";"─► EXTENSION ─CR─┐
 *   ▲          └─CR──────────────────┴► SIZE_LF ─size > 0─► IN_DATA ─► DATA_CR ─► DATA_LF ─┐
 *   │                                     │ size = 0                                       │
 *   └─────────────────────────────────────┼────────────────────────────────────────────────┘
 *                                         ▼
 *                      TRAILERS ─first byte CR─► FINAL_LF ─► DONE   (no trailers)
 *                          └─other─► collected up to CR LF CR LF ─► DONE
 */
const SIZE = 0;
const EXTENSION = 1;
const SIZE_LF = 2;
const IN_DATA = 3;
const DATA_CR = 4;
const DATA_LF = 5;
const TRAILERS = 6;
const FINAL_LF = 7;
const DONE = 8;
const FAILED = 9;

const SEMICOLON = 0x3b;
/** First size of the buffer that collects trailers (bytes). */
const FIRST_TRAILER_BYTES = 256;
const NO_BYTES = new Uint8Array(0);

/**
 * Decoder of the chunked transfer coding (RFC 9112 §7.1), fed in pieces of any size.
 *
 * Strict: no white space around the size, only CR LF ends a line, data ends in exactly CR LF. Chunk extensions are checked and
 * skipped: they belong to one connection, and we chunk anew.
 */
export class ChunkedDecoder {
  /** Set by DATA: start of the data in the buffer given. */
  dataStart = 0;
  /** Set by DATA: end of the data in the buffer given. */
  dataEnd = 0;
  /** Where the next call continues. */
  position = 0;
  /** Set by END: trailers that may be passed on, null when there are none. */
  trailers: HeaderBlock | null = null;

  #state = SIZE;
  /** Digits read of the size; then bytes of data left in the chunk. */
  #digits = 0;
  #left = 0;
  #extensionBytes = 0;
  #extensionDebt = 0;
  #trailerBytes: Uint8Array = NO_BYTES;
  #trailerLength = 0;
  /** Code of the failure, returned ever after. */
  #failure = 0;

  /** Ready for another body. */
  reset(): void {
    this.trailers = null;
    this.#state = SIZE;
    this.#digits = 0;
    this.#left = 0;
    this.#extensionBytes = 0;
    this.#extensionDebt = 0;
    this.#trailerBytes = NO_BYTES;
    this.#trailerLength = 0;
    this.#failure = 0;
  }

  /**
   * Consumes bytes up to the next event.
   *
   * Call again from `position` after DATA; each byte is walked once, data bytes not at all.
   *
   * @param buf bytes [pos, end) follow those of the call before; not kept
   * @returns NEED_MORE, DATA, END (again and again, until reset), or a negative code of error_code.ts
   */
  next(buf: Uint8Array, pos: number, end: number): number {
    while (pos < end) {
      switch (this.#state) {
        case SIZE: {
          const b = buf[pos] as number; // pos < end ≤ length, here and below
          const digit = HEX_VALUE[b] as number; // a byte indexes 256 entries
          if (digit !== 255) {
            if (++this.#digits > MAX_CHUNK_SIZE_DIGITS) return this.#fail(BAD_CHUNK_SIZE);
            this.#left = this.#left * 16 + digit;
          } else if (this.#digits === 0) return this.#fail(BAD_CHUNK_SIZE);
          else if (b === CR) this.#state = SIZE_LF;
          else if (b === SEMICOLON) {
            this.#state = EXTENSION;
            this.#extensionBytes = 0;
          } else return this.#fail(b === LF ? BAD_LINE_END : BAD_CHUNK_SIZE);
          pos++;
          break;
        }
        case EXTENSION: {
          const b = buf[pos++] as number;
          if (b === CR) this.#state = SIZE_LF;
          else if (VALUE_BYTE[b] === 0) return this.#fail(b === LF ? BAD_LINE_END : BAD_CHUNK_EXTENSION);
          else if (
            ++this.#extensionBytes > MAX_CHUNK_EXTENSION_BYTES || ++this.#extensionDebt > MAX_EXTENSION_DEBT_BYTES
          ) return this.#fail(CHUNK_EXTENSION_TOO_LONG);
          break;
        }
        case SIZE_LF:
          if (buf[pos++] !== LF) return this.#fail(BAD_LINE_END);
          this.#digits = 0;
          this.#extensionDebt = this.#extensionDebt > this.#left ? this.#extensionDebt - this.#left : 0;
          this.#state = this.#left > 0 ? IN_DATA : TRAILERS;
          break;
        case IN_DATA: {
          const available = end - pos;
          const taken = available < this.#left ? available : this.#left;
          this.#left -= taken;
          if (this.#left === 0) this.#state = DATA_CR;
          this.dataStart = pos;
          this.dataEnd = this.position = pos + taken;
          return DATA;
        }
        case DATA_CR:
          if (buf[pos++] !== CR) return this.#fail(BAD_CHUNK_END);
          this.#state = DATA_LF;
          break;
        case DATA_LF:
          if (buf[pos++] !== LF) return this.#fail(BAD_CHUNK_END);
          this.#state = SIZE;
          break;
        case TRAILERS:
          if (this.#trailerLength === 0 && buf[pos] === CR) {
            this.#state = FINAL_LF;
            pos++;
            break;
          }
          pos = this.#collectTrailers(buf, pos, end);
          if (pos < 0) return pos;
          break;
        case FINAL_LF:
          if (buf[pos++] !== LF) return this.#fail(BAD_LINE_END);
          this.#state = DONE;
          break;
        case FAILED:
          return this.#failure;
        default:
          this.position = pos;
          return END;
      }
    }
    this.position = pos;
    return this.#state === DONE ? END : this.#state === FAILED ? this.#failure : NEED_MORE;
  }

  /** Takes bytes up to CR LF CR LF and parses them then; returns the new position or a code. */
  #collectTrailers(buf: Uint8Array, pos: number, end: number): number {
    while (pos < end) {
      const b = buf[pos++] as number; // pos < end ≤ length
      const n = this.#trailerLength;
      const previous = n === 0 ? 0 : this.#trailerBytes[n - 1] as number; // n ≤ length
      if (b === 0) return this.#fail(CONTROL_BYTE);
      if ((b === LF) !== (previous === CR)) return this.#fail(BAD_LINE_END);
      if (n >= MAX_TRAILER_BYTES) return this.#fail(TRAILERS_TOO_LONG);
      if (n === this.#trailerBytes.length) this.#growTrailers();
      this.#trailerBytes[n] = b;
      this.#trailerLength = n + 1;
      // Every LF follows a CR here, so LF CR LF is the end.
      if (b === LF && n >= 3 && this.#trailerBytes[n - 2] === LF) {
        const parsed = parseTrailers(this.#trailerBytes, 0, n + 1);
        if (typeof parsed === "number") return this.#fail(parsed);
        this.trailers = parsed;
        this.#trailerBytes = NO_BYTES;
        this.#state = DONE;
        return pos;
      }
    }
    return pos;
  }

  #growTrailers(): void {
    const grown = new Uint8Array(Math.max(FIRST_TRAILER_BYTES, this.#trailerBytes.length * 2));
    grown.set(this.#trailerBytes);
    this.#trailerBytes = grown;
  }

  #fail(code: number): number {
    this.#state = FAILED;
    this.#failure = code;
    return code;
  }
}
