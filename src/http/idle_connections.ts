/**
 * Connections of one client on which nothing is asked for, so that one of them can be closed to make room for a further one
 * of the same client: who holds thousands keeps nobody else behind the same address from being served.
 *
 * Those that never sent a byte go first, then the one that has been idle for longest. A connection that is used now and
 * then is behind all that are not, however many are opened meanwhile. A request that is under way is never ended for it.
 */
import { type Linked, LinkedList } from "../base/linked_list.ts";
import { Connected } from "../net/connected.ts";
import { hasInput } from "../net/peer_ended.ts";
import type { RawSocket } from "../net/socket.ts";
import { turnMs } from "../net/turn_clock.ts";

/** How long a connection must have said nothing to be closed for another: several times what a client takes from its connect to its first bytes. */
export const MIN_SILENT_MS = 100;
/**
 * How long one that was used must have been idle: a client's pool turns its connections over within this time while it has
 * something to do, and nobody can go on using ten thousand of them that fast.
 */
export const MIN_IDLE_MS = 1000;
/** Connections looked at to find one that can be closed: the others are put back, behind all that are idle. */
const MAX_LOOKS = 8;

/** A connection that can be closed while it is idle. */
export abstract class IdleConnection extends Connected implements Linked<IdleConnection> {
  before: IdleConnection | null = null;
  after: IdleConnection | null = null;
  /** When it became idle, monotonic milliseconds. */
  idleSinceMs = 0;
  abstract readonly socket: RawSocket;
  /** Closes it in order. @returns false when it may not be closed now: its client has not taken its last answer */
  abstract closeIdle(): boolean;
}

/** In the order in which they became idle. */
export class IdleConnections {
  readonly #silent = new LinkedList<IdleConnection>();
  readonly #used = new LinkedList<IdleConnection>();

  /** Connections that are idle. */
  get size(): number {
    return this.#silent.size + this.#used.size;
  }

  /** A connection was made; it leaves by `deleteSilent` when its first bytes are there, or when it ends. */
  addSilent(connection: IdleConnection): void {
    connection.idleSinceMs = turnMs();
    this.#silent.add(connection);
  }

  deleteSilent(connection: IdleConnection): void {
    this.#silent.delete(connection);
  }

  /** A connection is idle from now on, also when it was before; it leaves by `delete` when a request begins, or when it ends. */
  add(connection: IdleConnection): void {
    connection.idleSinceMs = turnMs();
    this.#used.delete(connection);
    this.#used.add(connection);
  }

  delete(connection: IdleConnection): void {
    this.#used.delete(connection);
  }

  /** Closes the one that will be missed least. @returns false when there is none */
  closeOne(): boolean {
    return closeFirst(this.#silent, MIN_SILENT_MS) || closeFirst(this.#used, MIN_IDLE_MS);
  }
}

function closeFirst(list: LinkedList<IdleConnection>, minMs: number): boolean {
  const nowMs = performance.now();
  for (let looks = 0; looks < MAX_LOOKS; looks++) {
    const { first } = list;
    if (first === null || first.idleSinceMs > nowMs - minMs) return false;
    list.delete(first);
    // What its client has sent while this thread was busy has not been read yet.
    if (!hasInput(first.socket) && first.closeIdle()) return true;
    first.idleSinceMs = nowMs;
    list.add(first);
  }
  return false;
}
