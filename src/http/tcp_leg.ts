/**
 * A plain TCP connection as one leg of a tunnel: opaque protocols, WebSocket after its upgrade, CONNECT.
 *
 * Half-close is kept: FIN from the peer arrives as `fin`, `fin` sent is a FIN. A reset arrives as `onAbort`.
 */
import { resetConnection } from "../net/reset.ts";
import { Connected } from "../net/connected.ts";
import { Outbox, type OutboxOwner } from "../net/outbox.ts";
import type { ConnectionStats } from "../net/connection_stats.ts";
import { type RawSocket, type SocketOwner, statsOf } from "../net/socket.ts";
import type { HeaderBlock } from "../wire/header_block.ts";
import { CANCEL, CONNECT_ERROR, NO_ERROR } from "../wire/http2/error_code.ts";
import type { Leg, LegListener } from "./leg.ts";
import { HTTP1_PAUSE_BYTES } from "./limits.ts";
import { BLAME, COMMON_SHARE, type PeerShare, waitingBudget } from "./waiting_budget.ts";

const EMPTY = new Uint8Array(0);

/** Whoever was responsible for the socket before, and still counts it. */
export interface TcpLegOwner {
  /** The socket is gone. */
  onLegClosed(): void;
}

export class TcpLeg extends Connected implements Leg, SocketOwner, OutboxOwner {
  readonly reason = "";
  readonly socket: RawSocket;
  stats: ConnectionStats | null;
  readonly outbox: Outbox;
  listener: LegListener | null;
  recvEnd = false;
  sendEnd = false;
  #closed = false;
  #unconsumed = 0;
  #paused = false;
  #owed = 0;
  readonly #owner: TcpLegOwner | null;

  /**
   * Takes a socket over from whoever owned it.
   *
   * @param outbox what was already on its way to the socket, or null
   * @param owner told when the socket is gone, or null
   * @param share counts what waits for the peer, unless the outbox has one
   */
  constructor(
    socket: RawSocket,
    outbox: Outbox | null,
    listener: LegListener | null,
    owner: TcpLegOwner | null = null,
    share: PeerShare = COMMON_SHARE,
  ) {
    super();
    this.#owner = owner;
    this.socket = socket;
    this.listener = listener;
    this.outbox = outbox ?? new Outbox(socket, this, share, BLAME.own);
    this.outbox.setOwner(this);
    this.stats = statsOf(socket);
    socket.data = this;
  }

  sendHead(_head: HeaderBlock, end: boolean, _reason: string): void {
    if (end) this.sendData(EMPTY, 0, 0, true);
  }

  sendInterim(_head: HeaderBlock): void {}

  sendData(buffer: Uint8Array, start: number, end: number, fin: boolean): void {
    if (this.#closed || this.sendEnd) return;
    const bytes = end - start;
    if (bytes > 0) {
      this.outbox.append(buffer, start, end);
      if (this.outbox.hasRoom) this.listener?.onConsumed(this, bytes);
      else this.#owed += bytes;
    }
    if (!fin) return;
    this.sendEnd = true;
    if (this.recvEnd) this.outbox.endWhenFlushed();
    else this.outbox.shutdownWhenFlushed();
  }

  sendTrailers(_trailers: HeaderBlock): void {
    this.sendData(EMPTY, 0, 0, true);
  }

  abort(h2Code: number): void {
    if (this.#closed) return;
    this.listener = null;
    if (h2Code === NO_ERROR) this.outbox.endWhenFlushed();
    else {
      this.outbox.close();
      resetConnection(this.socket);
    }
  }

  consumed(bytes: number): void {
    this.#unconsumed -= bytes;
    if (this.#paused && this.#unconsumed < HTTP1_PAUSE_BYTES >> 1 && !this.#closed) {
      this.#paused = false;
      this.socket.resume();
    }
  }

  onData(buffer: Uint8Array): void {
    this.#unconsumed += buffer.length;
    this.listener?.onData(this, buffer, 0, buffer.length, false);
    if (this.#unconsumed > waitingBudget.pauseBytes && !this.#paused && !this.#closed) {
      this.#paused = true;
      this.socket.pause();
    }
  }

  /** The same for bytes that were received before the leg was there. */
  readBytes(buffer: Uint8Array, start: number, end: number): void {
    this.onData(buffer.subarray(start, end));
  }

  onDrain(): void {
    this.outbox.onDrain();
  }

  onOutboxDrained(): void {
    const owed = this.#owed;
    this.#owed = 0;
    if (owed > 0) this.listener?.onConsumed(this, owed);
  }

  onOutboxStuck(): void {
    resetConnection(this.socket); // onClose follows
  }

  onEnd(): void {
    if (this.recvEnd || this.#closed) return;
    this.recvEnd = true;
    this.listener?.onData(this, EMPTY, 0, 0, true);
    if (this.sendEnd) this.outbox.endWhenFlushed();
  }

  onClose(error: Error | null): void {
    if (this.#closed) return;
    this.#closed = true;
    this.outbox.close();
    this.#owner?.onLegClosed();
    const { listener } = this;
    this.listener = null;
    if (this.recvEnd && this.sendEnd) return;
    if (error === null && this.sendEnd) {
      // The runtime reports the peer's FIN as a close once we have sent ours; a reset comes with an error.
      this.recvEnd = true;
      return listener?.onData(this, EMPTY, 0, 0, true);
    }
    listener?.onAbort(this, error === null ? CANCEL : CONNECT_ERROR, false, error?.message ?? "connection closed");
  }
}
