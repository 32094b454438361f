/**
 * HTTP/1.1 connections to one endpoint: idle ones are reused, the latest first, so that a burst's surplus ages out.
 *
 * A server may close an idle connection just as a request is sent on it. Most requests can then be sent again; one that
 * must not be acted on twice cannot, because nobody knows. So such a request takes only a connection that is not about to
 * be closed, as far as what the server has done before can tell. A server that leaves may close any, also a new one, before
 * this process has had its turn: that is looked for just before the request is written, which is then not sent.
 */
import { LinkedList } from "../../base/linked_list.ts";
import { Timer, type TimerOwner } from "../../base/timer_wheel.ts";
import { Http1Client } from "../../http/http1_client.ts";
import type { Http1ClientOwner } from "../../http/http1_client_owner.ts";
import { peerHasEnded } from "../../net/peer_ended.ts";
import { turnMs } from "../../net/turn_clock.ts";
import { COMMON_SHARE, type PeerShare, type Pressed, waitingBudget } from "../../http/waiting_budget.ts";
import type { RawSocket } from "../../net/socket.ts";
import { partOf } from "../../net/threads.ts";
import { arm, disarm } from "../../net/ticker.ts";
import { HeadCache } from "../../wire/http1/head_cache.ts";
import type { ResponseHead } from "../../wire/http1/response_head.ts";
import { type Failure, unsent } from "./failure.ts";
import { MAX_QUEUED, type Waiter, WaiterQueue } from "./waiter.ts";

/** Connections to one endpoint: as many requests as a sidecar may have under way at another, each of which takes one. */
const MAX_CONNECTIONS = 8192;
/** The last quarter of them is for clients with few requests under way: one that takes all it gets must not shut others out. */
const MAX_HEAVY_CONNECTIONS = 6144;
/** Connections to one endpoint that are being made: more at a time overflow the queues of servers, whose usual length is 511. */
const MAX_DIALLING = 256;
/** Idle connections are closed after this: shorter than the 5 s keep-alive of Node.js, the shortest of the common servers. */
const IDLE_MS = 3000;

/** For so long it is remembered after how little time the server closed an idle connection. */
const CLOSES_MEMORY_MS = 60_000;

/** Begins to connect; the outcome arrives at the pool. */
export type Http1Dialer = (pool: Http1Pool) => void;

export class Http1Pool implements Http1ClientOwner, Pressed, TimerOwner {
  before: Pressed | null = null;
  after: Pressed | null = null;
  readonly #share: PeerShare;
  readonly #dial: Http1Dialer;
  readonly #open = new LinkedList<Http1Client>();
  readonly #idle: Http1Client[] = [];
  readonly #queue = new WaiterQueue();
  readonly #heads = new HeadCache<ResponseHead>();
  readonly #timer = new Timer(this, 0);
  #dialling = 0;
  #unused = 0;
  #closed = false;
  /** Idle for longer, a connection may be about to be closed by the server. */
  #safeIdleMs = IDLE_MS;
  #closesSeenMs = -Infinity;

  /** @param share counts what waits for the endpoint */
  constructor(dial: Http1Dialer, share: PeerShare = COMMON_SHARE) {
    this.#share = share;
    this.#dial = dial;
    waitingBudget.windows.add(this);
  }

  /** Connections that are open. */
  get size(): number {
    return this.#open.size;
  }

  /**
   * Gives the waiter a connection, at once when one is idle.
   *
   * @param fresh not one that may have been closed by the peer
   */
  acquire(waiter: Waiter, fresh: boolean): void {
    if (!fresh && (waiter.isRepeatable || this.#isSafe())) {
      const connection = this.#idle.pop();
      if (connection !== undefined) {
        if (this.#idle.length < this.#unused) this.#unused = this.#idle.length;
        return this.#give(connection, waiter);
      }
    }
    const refused = this.#queue.push(waiter);
    refused?.onUpstreamFailed(unsent("queue_full", `${MAX_QUEUED} requests wait for a connection already`));
    if (refused === waiter) return;
    this.#dialMore(waiter.origin.isLight);
  }

  /** Takes a waiter out of the queue, if it is there. */
  withdraw(waiter: Waiter): void {
    this.#queue.remove(waiter);
  }

  /** Closes idle connections; the others close when they are done. */
  shutdown(): void {
    this.#closed = true;
    waitingBudget.windows.delete(this);
    disarm(this.#timer);
    for (const connection of this.#idle.splice(0)) {
      this.#open.delete(connection);
      connection.close();
    }
  }

  onConnected(socket: RawSocket, _early: Uint8Array | null): void {
    const connection = new Http1Client(socket, this, this.#heads, this.#share);
    if (peerHasEnded(socket)) {
      connection.close();
      return this.onDialFailed(unsent("connect_failed", "the server closed the connection at once"));
    }
    this.#dialling--;
    this.#open.add(connection);
    if (waitingBudget.isTight) connection.limitReads();
    this.onReusable(connection);
    this.#dialMore(false);
  }

  /** Much waits in this thread, or no longer: what servers send from now on is to stay with them. */
  onPressure(): void {
    if (!waitingBudget.isTight) return;
    for (const connection of this.#open.toArray()) connection.limitReads();
  }

  onDialFailed(failure: Failure): void {
    this.#dialling--;
    // One failed dial fails one waiter: others may be served by connections that come back.
    if (this.#open.size === 0 && this.#dialling === 0) {
      for (const waiter of this.#queue.takeAll()) waiter.onUpstreamFailed(failure);
    } else this.#queue.shift()?.onUpstreamFailed(failure);
    this.#dialMore(false);
  }

  onReusable(connection: Http1Client): void {
    const waiter = this.#queue.shift(this.#open.size - this.#idle.length > partOf(MAX_HEAVY_CONNECTIONS));
    if (waiter !== null) return this.#give(connection, waiter);
    if (this.#closed || (connection.isLimited && !waitingBudget.isTight)) {
      this.#open.delete(connection);
      return connection.close();
    }
    connection.idleSinceMs = turnMs();
    this.#idle.push(connection);
    if (this.#timer.tick < 0) {
      this.#unused = this.#idle.length;
      arm(this.#timer, IDLE_MS);
    }
  }

  onClosed(connection: Http1Client): void {
    this.#open.delete(connection);
    const at = this.#idle.indexOf(connection);
    if (at >= 0) {
      this.#idle.splice(at, 1);
      this.#learnClose(connection);
    }
    this.#dialMore(false);
  }

  /** Closes those at the bottom of the stack that nobody needed for a whole interval. */
  onTimer(_kind: number): void {
    const surplus = this.#idle.splice(0, Math.min(this.#unused, this.#idle.length));
    for (const connection of surplus) {
      this.#open.delete(connection);
      connection.close();
    }
    this.#unused = this.#idle.length;
    if (this.#idle.length > 0) arm(this.#timer, IDLE_MS);
  }

  /** Connects once more for one that waits, if that is allowed. @param isLight it has few requests under way */
  #dialMore(isLight: boolean): void {
    if (this.#dialling >= this.#queue.length || this.#dialling >= MAX_DIALLING) return;
    if (this.#open.size + this.#dialling >= partOf(isLight ? MAX_CONNECTIONS : MAX_HEAVY_CONNECTIONS)) return;
    this.#dialling++;
    this.#dial(this);
  }

  /** The connection that would be taken next will most likely be there when the request arrives. */
  #isSafe(): boolean {
    const next = this.#idle.at(-1);
    if (next === undefined) return false;
    const now = turnMs();
    if (now - this.#closesSeenMs > CLOSES_MEMORY_MS) this.#safeIdleMs = IDLE_MS;
    return now - next.idleSinceMs <= this.#safeIdleMs && !peerHasEnded(next.socket);
  }

  /** The server closed an idle connection: it will do so again after the same time, which began for it earlier than here. */
  #learnClose(connection: Http1Client): void {
    const now = turnMs();
    this.#safeIdleMs = Math.min(this.#safeIdleMs, (now - connection.idleSinceMs) / 2);
    this.#closesSeenMs = now;
  }

  #give(connection: Http1Client, waiter: Waiter): void {
    connection.start(waiter, waiter.http1);
    if (!waiter.isRepeatable) connection.lookBeforeWrite();
    waiter.onUpstream(connection);
  }
}
