/** Opens a plain TCP connection to an endpoint: an application beside this proxy, or a peer without a sidecar. */
import { Timer, type TimerOwner } from "../../base/timer_wheel.ts";
import { type ConnectionCounters, type ConnectionStats, countConnection } from "../../net/connection_stats.ts";
import { probeSilentPeer } from "../../net/dead_peer.ts";
import { openSockets } from "../../net/open_sockets.ts";
import { dial, type RawSocket, type SocketOwner } from "../../net/socket.ts";
import { arm, disarm } from "../../net/ticker.ts";
import { type Failure, ownFailure, unsent } from "./failure.ts";

/** Linkerd's default for connections that leave the pod. */
export const CONNECT_TIMEOUT_MS = 1000;

/** Gets the outcome; until the owner has set `socket.data`, bytes that arrive are kept by pausing the socket. */
export interface PlainDialOwner {
  onConnected(socket: RawSocket, early: Uint8Array | null): void;
  onDialFailed(failure: Failure): void;
}

export class PlainDial implements SocketOwner, TimerOwner {
  readonly #ip: string;
  readonly #port: number;
  readonly #owner: PlainDialOwner;
  readonly #timer = new Timer(this, 0);
  stats: ConnectionStats | null = null;
  readonly #counters: ConnectionCounters | null;
  #done = false;

  /** @param counters counts the connection, null for nobody */
  constructor(ip: string, port: number, owner: PlainDialOwner, counters: ConnectionCounters | null = null) {
    this.#counters = counters;
    this.#ip = ip;
    this.#port = port;
    this.#owner = owner;
  }

  /** Begins; the outcome arrives at the owner. */
  start(): void {
    const lack = openSockets.noRoomToDial();
    if (lack !== null) return this.#fail(unsent("no_descriptors", lack));
    arm(this.#timer, CONNECT_TIMEOUT_MS);
    dial(this.#ip, this.#port, this);
  }

  onOpen(socket: RawSocket): void {
    if (this.#done) return void socket.terminate();
    this.#done = true;
    disarm(this.#timer);
    socket.setNoDelay(true);
    probeSilentPeer(socket);
    if (this.#counters !== null) this.stats = countConnection(socket, this.#counters);
    this.#owner.onConnected(socket, null);
  }

  onHandshake(_socket: RawSocket, _ok: boolean, _error: Error | null): void {}

  onData(_buffer: Buffer): void {}

  onDrain(): void {}

  onEnd(): void {}

  onClose(error: Error | null): void {
    this.#fail(unsent("connect_failed", `${this.#ip}:${this.#port}: ${error?.message ?? "closed at once"}`));
  }

  onConnectFailed(error: Error): void {
    this.#fail(
      ownFailure(error, this.#ip) ??
        unsent("connect_failed", `${this.#ip}:${this.#port} does not accept connections: ${error.message}`),
    );
  }

  onTimer(_kind: number): void {
    this.#fail(unsent("connect_timeout", `${this.#ip}:${this.#port}: no answer within ${CONNECT_TIMEOUT_MS} ms`));
  }

  #fail(failure: Failure): void {
    if (this.#done) return;
    this.#done = true;
    disarm(this.#timer);
    this.#owner.onDialFailed(failure);
  }
}
