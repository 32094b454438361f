/**
 * Bytes that wait in this thread because a peer does not take them, and who may have how many.
 *
 * A peer (the workload's own programs, a client by its identity or address, an endpoint) may hold as many as are free of
 * WAITING_BYTES_BUDGET: see base/fair_share.ts. Who holds more loses what occupied most for longest without progress,
 * until the rest fits: a stream is reset, a connection is ended. So those who stop reading pay, before those who are slow
 * and those who wait behind them on a connection, and never another peer. Of several connections of one peer (programs of a
 * pod, clients behind a gateway) the one that holds most pays first. Nobody is refused credit meanwhile, for a connection
 * carries the streams of many.
 *
 * What makes no progress for WRITE_IDLE_MS is ended whoever holds it, and sooner while much waits.
 */
import { mayHold } from "../base/fair_share.ts";
import { type Linked, LinkedList } from "../base/linked_list.ts";
import { Timer, type TimerOwner } from "../base/timer_wheel.ts";
import { partOfMemory } from "../net/threads.ts";
import { HIGH_WATER_BYTES } from "../net/outbox.ts";
import { arm } from "../net/ticker.ts";
import {
  FIRST_STREAM_WINDOW_BYTES,
  HTTP1_PAUSE_BYTES,
  PROGRESS_BYTES,
  TIGHT_BYTES,
  TIGHT_IDLE_MS,
  TIGHT_PAUSE_BYTES,
  TIGHT_STREAM_WINDOW_BYTES,
  WAITING_BYTES_BUDGET,
  WRITE_IDLE_MS,
} from "./limits.ts";
import { IdleConnections } from "./idle_connections.ts";
import type { Refusal } from "./refusal.ts";

/** How often it is looked for what makes no progress. */
const LOOK_MS = 1_000;

/** A full socket may have this part (1/256) of what its peer may still hold waiting, but no less than a few segments. */
const ROOM_SHIFT = 8;
const MIN_ROOM_BYTES = 16 * 1024;

/** A share that is too large gives up 1/16 of the budget more than it must: to find out what goes is work. */
const SLACK_SHIFT = 4;

/** Has bytes that wait. */
export interface Holder {
  /** Must give up what it holds: its stream or connection ends. */
  onHeldTooLong(): void;
}

/** A connection of which several parts may hold something. */
export interface HeldConnection {
  /** What they hold together. */
  heldBytes: number;
}

/** How much it is up to the receiver alone that something waits. */
export const BLAME = {
  /** A connection that carries many streams: they go first. */
  shared: 0,
  /** It may be the connection, or nobody's fault. */
  unclear: 1,
  /** The receiver gives no credit, or does not read from its own socket. */
  own: 8,
} as const;

/** What one holder has. */
export class Holding implements Linked<Holding> {
  bytes = 0;
  /** One of BLAME. */
  blame = 1;
  /** When it last made progress, monotonic milliseconds. */
  sinceMs = performance.now();
  before: Holding | null = null;
  after: Holding | null = null;
  readonly holder: Holder;
  readonly share: PeerShare;
  readonly #connection: HeldConnection | null;
  #moved = 0;

  constructor(holder: Holder, share: PeerShare, connection: HeldConnection | null) {
    this.holder = holder;
    this.share = share;
    this.#connection = connection;
  }

  /** What is held on its whole connection. */
  get connectionBytes(): number {
    return this.#connection === null ? this.bytes : this.#connection.heldBytes;
  }

  /** It occupies so many bytes now. @param blame of BLAME */
  set(bytes: number, blame: number): void {
    this.blame = blame;
    if (bytes !== this.bytes) this.#add(bytes - this.bytes);
  }

  /** The peer took bytes. Progress is PROGRESS_BYTES of them: a peer that takes one at a time makes none. */
  moved(bytes: number): void {
    this.#moved += bytes;
    if (this.#moved < PROGRESS_BYTES) return;
    this.#moved = 0;
    this.sinceMs = performance.now();
    this.share.moveLast(this);
  }

  /** Nothing waits any more: it was taken, or given up. */
  release(): void {
    this.#add(-this.bytes);
    this.share.remove(this);
  }

  #add(bytes: number): void {
    this.bytes += bytes;
    if (this.#connection !== null) this.#connection.heldBytes += bytes;
    this.share.add(bytes);
  }
}

/** What waits for one peer, over all its streams and connections. */
export class PeerShare implements Linked<PeerShare> {
  before: PeerShare | null = null;
  after: PeerShare | null = null;
  bytes = 0;
  readonly direction: "inbound" | "outbound";
  /** Who the peer is, for the log. */
  readonly peer: string;
  /** Its connections on which it asks for nothing. */
  readonly idle = new IdleConnections();
  /** Holdings in the order in which they last made progress. */
  readonly #holdings = new LinkedList<Holding>();

  /** @param direction of the connections with the peer: made to the workload, or by it */
  constructor(direction: "inbound" | "outbound", peer: string) {
    this.direction = direction;
    this.peer = peer;
  }

  /**
   * The holder has bytes from here on; it ends with `release`.
   *
   * @param connection that it shares with others, null when it has one of its own
   */
  hold(holder: Holder, connection: HeldConnection | null = null): Holding {
    if (this.#holdings.size === 0) waitingBudget.enter(this);
    const holding = new Holding(holder, this, connection);
    this.#holdings.add(holding);
    return holding;
  }

  /**
   * All, in the order in which they must go: by blame × bytes × bytes of its connection × (time without progress)³. Bytes
   * are what their end makes room for; those of the connection tell a client that piles them up from one beside it that
   * waits for its turn; time tells those who do not read from those who will in a moment.
   */
  worstFirst(): Holding[] {
    const nowMs = performance.now();
    const all: { readonly holding: Holding; readonly cost: number }[] = [];
    for (let holding = this.#holdings.first; holding !== null; holding = holding.after) {
      const { blame, bytes, connectionBytes, sinceMs } = holding;
      all.push({ holding, cost: blame * bytes * connectionBytes * (nowMs - sinceMs) ** 3 });
    }
    return all.sort((a, b) => b.cost - a.cost).map(({ holding }) => holding);
  }

  /** One that has made no progress since a time, or null. */
  idleSince(ms: number): Holding | null {
    const { first } = this.#holdings;
    return first !== null && first.sinceMs < ms ? first : null;
  }

  /** Bytes that may wait for a full socket before its producers have to stop. */
  get roomBytes(): number {
    const free = partOfMemory(WAITING_BYTES_BUDGET) - waitingBudget.total;
    return Math.max(MIN_ROOM_BYTES, Math.min(HIGH_WATER_BYTES, (free - this.bytes) >> ROOM_SHIFT));
  }

  add(bytes: number): void {
    this.bytes += bytes;
    waitingBudget.add(this, bytes);
  }

  moveLast(holding: Holding): void {
    this.#holdings.delete(holding);
    this.#holdings.add(holding);
  }

  remove(holding: Holding): void {
    this.#holdings.delete(holding);
    if (this.#holdings.size === 0) waitingBudget.leave(this);
  }
}

/** Told when more or less may wait than before. */
export interface Pressed extends Linked<Pressed> {
  onPressure(): void;
}

/** Shares of those whose owner said nothing. */
export const COMMON_SHARE = new PeerShare("outbound", "");

class WaitingBudget implements TimerOwner {
  /** Bytes waiting now. */
  total = 0;
  /** Longest time without progress, ms. */
  idleMs = WRITE_IDLE_MS;
  /** Told about each that was ended, before it is. */
  onEnded: (share: PeerShare, reason: Refusal, bytes: number) => void = () => {};
  readonly #shares = new LinkedList<PeerShare>();
  /** The share with most bytes, or one that had most. */
  #largest: PeerShare = COMMON_SHARE;
  readonly #timer = new Timer(this, 0);
  #isDue = false;

  /** Much waits: what comes in has to be slowed down. */
  isTight = false;
  /** Window with which streams begin. */
  firstWindow = FIRST_STREAM_WINDOW_BYTES;
  /** Bytes received on a connection without windows and not forwarded, beyond which it is paused. */
  pauseBytes = HTTP1_PAUSE_BYTES;
  /** Told when that changes. */
  readonly windows = new LinkedList<Pressed>();

  add(share: PeerShare, bytes: number): void {
    this.total += bytes;
    if (bytes <= 0) {
      if (this.isTight && this.total < partOfMemory(TIGHT_BYTES) >> 1) this.#tighten(false);
      return;
    }
    if (!this.isTight && this.total > partOfMemory(TIGHT_BYTES)) this.#tighten(true);
    if (share.bytes > this.#largest.bytes) this.#largest = share;
    if (mayHold(this.#largest.bytes, this.total, partOfMemory(WAITING_BYTES_BUDGET)) || this.#isDue) return;
    this.#isDue = true;
    queueMicrotask(shedNow); // not here: a stream that is being written to must not end under its writer
  }

  #tighten(isTight: boolean): void {
    this.isTight = isTight;
    this.firstWindow = isTight ? TIGHT_STREAM_WINDOW_BYTES : FIRST_STREAM_WINDOW_BYTES;
    this.pauseBytes = isTight ? TIGHT_PAUSE_BYTES : HTTP1_PAUSE_BYTES;
    for (const windows of this.windows.toArray()) windows.onPressure();
  }

  /** Something waits for the peer. */
  enter(share: PeerShare): void {
    this.#shares.add(share);
    if (this.#timer.tick < 0) arm(this.#timer, LOOK_MS);
  }

  /** Nothing waits for the peer any more. */
  leave(share: PeerShare): void {
    this.#shares.delete(share);
  }

  onTimer(_kind: number): void {
    const before = performance.now() - (this.isTight ? Math.min(this.idleMs, TIGHT_IDLE_MS) : this.idleMs);
    for (const share of this.#shares.toArray()) {
      for (let idle = share.idleSince(before); idle !== null; idle = share.idleSince(before)) end(idle, "write_idle");
    }
    if (this.#shares.size > 0) arm(this.#timer, LOOK_MS);
  }

  /** Ends what those hold who have more than their share, the one with most first: whoever it was that asked for more. */
  shed(): void {
    this.#isDue = false;
    const budget = partOfMemory(WAITING_BYTES_BUDGET);
    for (;;) {
      for (let share = this.#shares.first; share !== null; share = share.after) {
        if (share.bytes > this.#largest.bytes) this.#largest = share;
      }
      const share = this.#largest;
      if (share.bytes === 0 || mayHold(share.bytes, this.total, budget)) return;
      for (const holding of share.worstFirst()) {
        if (mayHold(share.bytes, this.total, budget - (budget >> SLACK_SHIFT))) break;
        if (holding.bytes > 0) end(holding, "memory_share"); // not ended together with another
      }
    }
  }
}

/** What waits in this thread. */
export const waitingBudget = new WaitingBudget();

function shedNow(): void {
  waitingBudget.shed();
}

function end(holding: Holding, reason: Refusal): void {
  waitingBudget.onEnded(holding.share, reason, holding.bytes);
  holding.holder.onHeldTooLong();
  if (holding.bytes > 0) throw new Error("a holder kept what it had to give up");
}
