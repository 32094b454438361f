/**
 * Bytes of one stream that wait for a window or for room, in pieces: large reads are kept as they are, the rest is
 * copied together. Pieces are used again, since what waits comes and goes at the rate of the traffic.
 */
import { copyBytes } from "../base/latin1.ts";
import { uninitialised } from "../base/byte_sink.ts";
import { freeBuffer, keepBuffer } from "../net/lent_buffer.ts";

/** Reads from here on are kept instead of copied, when they are most of their buffer: keeping costs little more than they hold. */
const KEEP_BYTES = 32 * 1024;
/** A full piece: two of the usual frames. */
export const PIECE_BYTES = 32 * 1024;
/** The first piece of a stream is as large as what waits, so that many streams with little each hold little. */
const MIN_PIECE_BYTES = 512;
/** Smaller pieces are left to the collector; larger ones would pile up when many streams are reset with what waits in them. */
const FREED_BYTES = 4096;
/**
 * Pieces kept for later, 8 MiB at most: so much waits when a hundred streams send 100 KiB at a time (measured: with 1 MiB of
 * them such a load costs a tenth more).
 */
const POOLED_PIECES = 256;

const pool: Uint8Array[] = [];

/** Bytes buffer[start, end) that wait, and what is behind them. */
export class Piece {
  readonly buffer: Uint8Array;
  start: number;
  end: number;
  next: Piece | null = null;
  /** The buffer of a read, to which nothing is added. */
  readonly isKept: boolean;

  constructor(buffer: Uint8Array, start: number, end: number, isKept: boolean) {
    this.buffer = buffer;
    this.start = start;
    this.end = end;
    this.isKept = isKept;
  }
}

/** Gives the pieces up that are kept for later. */
export function dropPieces(): void {
  for (const piece of pool.splice(0)) freeBuffer(piece);
}

export class WaitingBytes {
  /** What goes first; null when nothing waits. */
  first: Piece | null = null;
  /** Bytes that wait. */
  length = 0;
  /** Bytes of memory that they take. */
  memory = 0;
  #last: Piece | null = null;

  /** Adds bytes behind the others. The buffer is the caller's again when this returns, unless it was lent and is kept. */
  append(buffer: Uint8Array, start: number, end: number): void {
    const bytes = end - start;
    this.length += bytes;
    if (bytes >= KEEP_BYTES && bytes > buffer.length >> 1 && keepBuffer(buffer)) {
      return this.#push(new Piece(buffer, start, end, true));
    }
    for (let from = start; from < end;) {
      const piece = this.#withRoom(end - from);
      const n = Math.min(end - from, piece.buffer.length - piece.end);
      copyBytes(buffer, from, from + n, piece.buffer, piece.end);
      piece.end += n;
      from += n;
    }
  }

  /** Takes bytes off the first piece; at most as many as it has. */
  take(bytes: number): void {
    const piece = this.first as Piece; // the caller has looked at it
    this.length -= bytes;
    piece.start += bytes;
    if (piece.start < piece.end) return;
    this.first = piece.next;
    if (piece.next === null) this.#last = null;
    piece.next = null; // or one that the collector takes for alive would keep all that come after it
    this.memory -= piece.buffer.length;
    giveBack(piece);
  }

  /** Forgets all. */
  clear(): void {
    for (let piece = this.first; piece !== null; piece = piece.next) giveBack(piece);
    this.first = this.#last = null;
    this.length = this.memory = 0;
  }

  #withRoom(bytes: number): Piece {
    const last = this.#last;
    if (last !== null && !last.isKept && last.end < last.buffer.length) return last;
    const buffer = bytes >= PIECE_BYTES || last !== null
      ? pool.pop() ?? uninitialised(PIECE_BYTES)
      : uninitialised(Math.max(bytes, MIN_PIECE_BYTES));
    const piece = new Piece(buffer, 0, 0, false);
    this.#push(piece);
    return piece;
  }

  #push(piece: Piece): void {
    if (this.#last === null) this.first = piece;
    else this.#last.next = piece;
    this.#last = piece;
    this.memory += piece.buffer.length;
  }
}

function giveBack(piece: Piece): void {
  const { buffer } = piece;
  if (!piece.isKept && buffer.length === PIECE_BYTES && pool.length < POOLED_PIECES) pool.push(buffer);
  else if (piece.isKept || buffer.length >= FREED_BYTES) freeBuffer(buffer);
}
