/**
 * Keeps the threads of a process even: they poll the same listening sockets, and one that holds more connections of a
 * socket than another leaves the next ones to it.
 *
 * Left alone the kernel wakes all, and whoever comes first takes everything that waits (measured with two threads: 0:8,
 * 0:32 and 0:64 connections were common; with SO_REUSEPORT, which hashes, 1:7 and 25:39). Between sidecars that is all
 * the traffic, as few connections carry it. One queue for all has a second use: a thread that fails, or a process that
 * is replaced, leaves nobody behind in a queue of its own.
 *
 * Somebody always listens: a thread that steps back says so first and then wakes the one it steps back for, should that
 * one have stepped back as well. Of two that do so at the same time, at least one sees the other.
 */
import type { AcceptGate, Listener } from "./listener.ts";

/** Marks a thread that is not there. */
const ABSENT = -1;
/** Steps back in a row: as many connections of one burst are dealt out one by one. */
const BURST = 64;
/** … and a second: stepping back from a TLS listener takes 0.2 ms, so that sharing takes 1 % of a core at most. */
const PER_SECOND = 50;

/** Connections by socket and thread, in memory that all threads see. */
export class AcceptCounts {
  readonly buffer: SharedArrayBuffer;
  readonly threads: number;
  /** For each socket: open connections of each thread, then for each thread whether it has stepped back. */
  readonly #cells: Int32Array;

  /** @param buffer from another thread's object; null makes one, in which no thread is there yet */
  constructor(sockets: number, threads: number, buffer: SharedArrayBuffer | null = null) {
    this.buffer = buffer ?? new SharedArrayBuffer(sockets * threads * 2 * 4);
    this.threads = threads;
    this.#cells = new Int32Array(this.buffer);
    if (buffer !== null) return;
    for (let socket = 0; socket < sockets; socket++) {
      for (let thread = 0; thread < threads; thread++) Atomics.store(this.#cells, this.#at(socket, thread), ABSENT);
    }
  }

  /** The thread takes connections of a socket from now on. */
  enter(socket: number, thread: number): void {
    Atomics.compareExchange(this.#cells, this.#at(socket, thread), ABSENT, 0);
  }

  /** The thread is gone, and its connections are. @returns how many those were */
  leave(thread: number): number {
    const lost = this.of(thread);
    for (let socket = 0; socket < this.#sockets; socket++) {
      Atomics.store(this.#cells, this.#at(socket, thread), ABSENT);
      this.setSteppedBack(socket, thread, false);
    }
    return lost;
  }

  /** Connections that a thread has, of all sockets. */
  of(thread: number): number {
    let sum = 0;
    for (let socket = 0; socket < this.#sockets; socket++) sum += Math.max(0, this.open(socket, thread));
    return sum;
  }

  /** Connections of one socket that a thread has; below 0 when it is not there. */
  open(socket: number, thread: number): number {
    return Atomics.load(this.#cells, this.#at(socket, thread));
  }

  add(socket: number, thread: number, n: number): void {
    Atomics.add(this.#cells, this.#at(socket, thread), n);
  }

  hasSteppedBack(socket: number, thread: number): boolean {
    return Atomics.load(this.#cells, this.#at(socket, thread) + this.threads) === 1;
  }

  setSteppedBack(socket: number, thread: number, value: boolean): void {
    Atomics.store(this.#cells, this.#at(socket, thread) + this.threads, value ? 1 : 0);
  }

  /** The other thread with the fewest connections of a socket, -1 when there is none. */
  leastOther(socket: number, thread: number): number {
    let least = -1;
    for (let other = 0; other < this.threads; other++) {
      const open = this.open(socket, other);
      if (other !== thread && open !== ABSENT && (least < 0 || open < this.open(socket, least))) least = other;
    }
    return least;
  }

  get #sockets(): number {
    return this.#cells.length / (2 * this.threads);
  }

  #at(socket: number, thread: number): number {
    return socket * 2 * this.threads + thread;
  }
}

/** Connections more than another thread has that make no difference: none at first, an eighth later. */
function tolerated(least: number): number {
  return least >> 3;
}

/** One thread's part of one socket. */
export class AcceptShare implements AcceptGate {
  readonly #counts: AcceptCounts;
  readonly #socket: number;
  readonly #thread: number;
  readonly #wake: (thread: number, socket: number) => void;
  readonly #clock: () => number;
  #listener: Listener | null = null;
  #tokens = BURST;
  #refilledMs = 0;

  /**
   * @param wake has `resume` called in another thread, for the same socket
   * @param clock monotonic milliseconds
   */
  constructor(
    counts: AcceptCounts,
    socket: number,
    thread: number,
    wake: (thread: number, socket: number) => void,
    clock: () => number,
  ) {
    this.#counts = counts;
    this.#socket = socket;
    this.#thread = thread;
    this.#wake = wake;
    this.#clock = clock;
  }

  listens(listener: Listener): void {
    this.#listener = listener;
    this.#counts.setSteppedBack(this.#socket, this.#thread, false);
    this.#counts.enter(this.#socket, this.#thread);
  }

  opened(): void {
    this.#counts.add(this.#socket, this.#thread, 1);
  }

  stepsBack(): boolean {
    const least = this.#counts.leastOther(this.#socket, this.#thread);
    if (least < 0 || !this.#isAhead(least) || !this.#withdraw()) return false;
    this.#counts.setSteppedBack(this.#socket, this.#thread, true);
    if (this.#counts.hasSteppedBack(this.#socket, least)) this.#wake(least, this.#socket);
    return true;
  }

  closed(): void {
    this.#counts.add(this.#socket, this.#thread, -1);
    if (!this.#counts.hasSteppedBack(this.#socket, this.#thread)) return;
    const least = this.#counts.leastOther(this.#socket, this.#thread);
    if (least < 0 || !this.#isAhead(least)) this.resume();
  }

  /** Takes connections again. */
  resume(): void {
    this.#counts.setSteppedBack(this.#socket, this.#thread, false);
    this.#listener?.resume();
  }

  #isAhead(least: number): boolean {
    const open = this.#counts.open(this.#socket, least);
    return this.#counts.open(this.#socket, this.#thread) - open > tolerated(open);
  }

  #withdraw(): boolean {
    const nowMs = this.#clock();
    this.#tokens = Math.min(BURST, this.#tokens + ((nowMs - this.#refilledMs) / 1000) * PER_SECOND);
    this.#refilledMs = nowMs;
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}
