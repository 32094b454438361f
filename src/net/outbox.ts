/**
 * Bytes on their way to one socket: appended during a turn, written once at its end, kept while the socket is full.
 */
import { type BufferPool, ByteSink, uninitialised } from "../base/byte_sink.ts";
import { copyBytes } from "../base/latin1.ts";
import { dirtyOutboxes } from "./flush.ts";
import { freeBuffer } from "./lent_buffer.ts";
import { hasBytes } from "./peer_ended.ts";
import type { RawSocket } from "./socket.ts";
import { Soon, type SoonOwner } from "./soon.ts";

/** Above this an outbox takes no more body bytes until it has drained: 256 KiB fill a socket at 1 GB/s for 0.25 ms. */
export const HIGH_WATER_BYTES = 256 * 1024;
/** Below this producers are asked for more. */
const LOW_WATER_BYTES = 64 * 1024;
/** Buffers come in three sizes: a turn of an HTTP/1 connection writes little, one of a busy HTTP/2 connection more, bulk most. */
const SMALL_BYTES = 4 * 1024;
const LARGE_BYTES = 64 * 1024;
const BULK_BYTES = HIGH_WATER_BYTES + LARGE_BYTES + SMALL_BYTES;
/** Buffers kept for the next turn, 4, 2 and 2.5 MiB at most: as many connections as typically write so in one turn. */
const SMALL_POOL = 1024;
const LARGE_POOL = 32;
const BULK_POOL = 8;
/** Chunks from here on are written from where they lie when nothing waits before them; below, a copy is cheaper than a write of its own. */
const DIRECT_BYTES = 64 * 1024;
/** Longest plaintext of a TLS record (RFC 8446 §5.1): what is written together beyond it leaves in several. */
const MAX_RECORD_BYTES = 16 * 1024;

/** How long a socket that cannot be written any more may still be read: some turns of the event loop. */
const LAST_WORDS_MS = 20;

const failed = new Soon(LAST_WORDS_MS);
const small: Uint8Array[] = [];
const large: Uint8Array[] = [];
const bulk: Uint8Array[] = [];
const EMPTY = new Uint8Array(0);
/** Outboxes grow from one size to the next, and leave what they have outgrown to others. */
const POOL: BufferPool = { take: takeBuffer, give: giveBuffer };

/** Gives the buffers up that are kept for the next turn. */
export function dropBuffers(): void {
  for (const pool of [small, large, bulk]) pool.length = 0;
}

/** Told what becomes of the bytes. */
export interface OutboxOwner {
  /** The outbox has drained below the low water mark after having been above the high one. */
  onOutboxDrained(): void;
  /** The peer does not take what waits: the owner gives the connection up. */
  onOutboxStuck(): void;
}

/** Counts what waits for the peers of this thread; asked only while a socket is full. */
export interface OutboxShare {
  /** Bytes that may wait for a full socket before its producers have to stop: fewer when much waits for the same peer. */
  readonly roomBytes: number;
  hold(holder: { onHeldTooLong(): void }): OutboxHolding;
}

/** What one outbox has waiting. */
export interface OutboxHolding {
  readonly bytes: number;
  set(bytes: number, blame: number): void;
  moved(bytes: number): void;
  release(): void;
}

export class Outbox implements SoonOwner {
  /** Append here after `begin()`; the engines' writers take it as their sink. */
  readonly sink: ByteSink = new ByteSink(0, POOL);
  /** Bytes written to the socket since the start. */
  written = 0;
  /** … and those that it may have sent without saying so. What is behind them was certainly not sent. */
  offered = 0;
  /** A write was short: the socket will say when it takes more. */
  blocked = false;
  readonly #socket: RawSocket;
  #owner: OutboxOwner;
  #start = 0;
  /** Bytes of the turn before: what this one will most likely need. */
  #usual = 0;
  #dirty = false;
  #wasHigh = false;
  #finish = 0;
  #closed = false;
  readonly #share: OutboxShare | null;
  readonly #blame: number;
  /** Set while the socket is full. */
  #holding: OutboxHolding | null = null;

  /**
   * @param share counts what waits while the socket is full, null for nobody
   * @param blame how much it is up to the peer alone when the socket is full, for `share`
   */
  constructor(socket: RawSocket, owner: OutboxOwner, share: OutboxShare | null, blame: number) {
    this.#socket = socket;
    this.#owner = owner;
    this.#share = share;
    this.#blame = blame;
  }

  /** Hands the outbox to another owner of the same socket (an upgrade). */
  setOwner(owner: OutboxOwner): void {
    this.#owner = owner;
  }

  /** Bytes waiting for the socket. */
  get pending(): number {
    return this.sink.length - this.#start;
  }

  /** True while body bytes may be appended. */
  get hasRoom(): boolean {
    if (this.blocked) this.#hold(0);
    const room = this.#holding === null || this.#share === null ? HIGH_WATER_BYTES : this.#share.roomBytes;
    if (this.pending < room) return true;
    this.#wasHigh = true;
    return false;
  }

  /** Gives the sink a buffer and puts the outbox on the list of this turn. Call before each run of appends. */
  begin(): ByteSink {
    if (this.sink.buffer.length === 0) this.sink.buffer = takeBuffer(this.#usual);
    if (!this.#dirty && !this.blocked) {
      this.#dirty = true;
      dirtyOutboxes.add(this);
    }
    return this.sink;
  }

  /** Appends body bytes; large ones go straight to the socket when nothing waits before them. */
  append(buffer: Uint8Array, start: number, end: number): void {
    let from = start;
    if (end - start >= DIRECT_BYTES && !this.blocked && !this.#closed) {
      if (this.pending > 0) this.#write();
      if (this.pending === 0) {
        const taken = this.#offer(buffer, from, end - from);
        if (taken < 0) return this.#fail();
        this.written += taken;
        from += taken;
        if (from === end) return;
        this.blocked = true;
      }
    }
    const sink = this.begin();
    // What waits for a full socket may wait for long: no more memory than it needs.
    if (this.blocked && sink.buffer.length - sink.length < end - from) this.#resize(this.pending + end - from);
    sink.append(buffer, from, end);
  }

  /** Writes what waits. Called once per turn, and when the socket has room again. */
  flush(): void {
    this.#dirty = false;
    if (this.#closed) return this.#release();
    if (!this.blocked) this.#write();
  }

  /** The socket has room again. */
  onDrain(): void {
    this.blocked = false;
    this.#write();
    if (this.#wasHigh && this.pending <= LOW_WATER_BYTES) {
      this.#wasHigh = false;
      this.#owner.onOutboxDrained();
    }
  }

  /** Sends FIN once everything is written; the other direction stays open. */
  shutdownWhenFlushed(): void {
    this.#finish = Math.max(this.#finish, 1);
    if (this.pending === 0) this.#finished();
  }

  /** Closes the socket once everything is written. */
  endWhenFlushed(): void {
    this.#finish = 2;
    if (this.pending === 0) this.#finished();
  }

  /** More waits here than may, or for too long. */
  onHeldTooLong(): void {
    this.close();
    this.#owner.onOutboxStuck();
  }

  /** The socket is gone: drops what waits. */
  close(): void {
    this.#closed = true;
    this.#release();
  }

  #write(): void {
    const { sink } = this;
    const length = sink.length - this.#start;
    if (length > 0 && !this.#closed) {
      const taken = this.#offer(sink.buffer, this.#start, length);
      if (taken < 0) return this.#fail();
      this.written += taken;
      if (taken < length) {
        this.blocked = true;
        this.#start += taken;
        if (this.#start > HIGH_WATER_BYTES) this.#compact();
        return this.#hold(taken);
      }
    }
    this.#release();
    if (this.#finish > 0) this.#finished();
    if (this.#wasHigh) {
      this.#wasHigh = false;
      this.#owner.onOutboxDrained();
    }
  }

  #offer(buffer: Uint8Array, start: number, length: number): number {
    const taken = this.#socket.write(buffer, start, length);
    // A write that fails has sent nothing; but TLS may have sent the records before the one that failed.
    if (taken >= 0 || length > MAX_RECORD_BYTES) this.offered = this.written + length;
    return taken;
  }

  /** Says what waits, by the memory it takes. */
  #hold(moved: number): void {
    if (this.#share === null || this.#closed) return;
    const holding = this.#holding ??= this.#share.hold(this);
    if (moved > 0) holding.moved(moved);
    // A buffer of the pool that is mostly empty is worth a copy once memory is short.
    if (this.#share.roomBytes < HIGH_WATER_BYTES && this.pending < this.sink.buffer.length >> 1) {
      this.#resize(Math.max(SMALL_BYTES, this.pending));
    }
    if (holding.bytes !== this.sink.buffer.length) {
      holding.set(this.sink.buffer.length, this.#blame);
    }
  }

  /** Moves what waits to a buffer of its own. */
  #resize(bytes: number): void {
    const { sink } = this;
    const resized = uninitialised(bytes);
    copyBytes(sink.buffer, this.#start, sink.length, resized, 0);
    giveBuffer(sink.buffer);
    sink.buffer = resized;
    sink.length -= this.#start;
    this.#start = 0;
  }

  #compact(): void {
    this.sink.buffer.copyWithin(0, this.#start, this.sink.length);
    this.sink.length -= this.#start;
    this.#start = 0;
  }

  #release(): void {
    const { sink } = this;
    if (this.#holding !== null) {
      this.#holding.release();
      this.#holding = null;
    }
    this.#usual = sink.length;
    giveBuffer(sink.buffer);
    sink.buffer = EMPTY;
    sink.length = 0;
    this.#start = 0;
  }

  #finished(): void {
    if (this.#closed) return;
    if (this.#finish === 2) {
      this.#closed = true;
      this.#socket.end();
    } else if (this.#finish === 1) {
      this.#finish = 0;
      this.#socket.shutdown();
    }
  }

  /**
   * The peer takes no more. What it said before it closed (413, GOAWAY) may still be in the kernel: then the socket stays
   * open until it is read, and as a rule ends by itself.
   */
  #fail(): void {
    this.close();
    if (hasBytes(this.#socket)) failed.add(this);
    else this.#socket.terminate();
  }

  onSoon(): void {
    this.#socket.terminate();
  }
}

function takeBuffer(bytes: number): Uint8Array {
  if (bytes > BULK_BYTES) return uninitialised(bytes);
  if (bytes > LARGE_BYTES) return bulk.pop() ?? uninitialised(BULK_BYTES);
  if (bytes > SMALL_BYTES) return large.pop() ?? uninitialised(LARGE_BYTES);
  return small.pop() ?? uninitialised(SMALL_BYTES);
}

function giveBuffer(buffer: Uint8Array): void {
  if (buffer.length === SMALL_BYTES && small.length < SMALL_POOL) small.push(buffer);
  else if (buffer.length === LARGE_BYTES && large.length < LARGE_POOL) large.push(buffer);
  else if (buffer.length === BULK_BYTES && bulk.length < BULK_POOL) bulk.push(buffer);
  else if (buffer.length >= LARGE_BYTES) freeBuffer(buffer);
}
