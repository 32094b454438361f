/**
 * Reads the name that a TLS client asks for, where the routes of a target tell connections apart by it. The bytes stay what they
 * are; nothing is decrypted.
 */
import { Timer, type TimerOwner } from "../../base/timer_wheel.ts";
import { PartialBytes } from "../../http/partial_bytes.ts";
import type { OutboundTarget } from "../../model/outbound.ts";
import type { ConnectionStats } from "../../net/connection_stats.ts";
import { type RawSocket, type SocketOwner, statsOf } from "../../net/socket.ts";
import { arm, disarm } from "../../net/ticker.ts";
import { serverName } from "../../wire/tls/client_hello.ts";

/** How long a client may take to ask for a name, milliseconds: it speaks first, in one or two segments. */
const NAME_MS = 5_000;

/** Whether the routes of a target look at names. */
export function looksAtNames({ streamRoutes }: OutboundTarget): boolean {
  for (const { hostnames } of streamRoutes) if (hostnames.length > 0) return true;
  return false;
}

export interface NameReaderOwner {
  /** Takes the socket over, and gets the bytes so far. @param name "" when the client asks for none, or does not speak TLS */
  named(socket: RawSocket, early: Uint8Array, name: string): void;
  /** The connection ended before. */
  unnamed(): void;
}

export class NameReader implements SocketOwner, TimerOwner {
  stats: ConnectionStats | null;
  readonly #socket: RawSocket;
  readonly #owner: NameReaderOwner;
  readonly #bytes = new PartialBytes();
  readonly #timer = new Timer(this, 0);
  #isOver = false;

  /** @param early what the client has sent so far */
  constructor(socket: RawSocket, owner: NameReaderOwner, early: Uint8Array) {
    this.#socket = socket;
    this.#owner = owner;
    this.stats = statsOf(socket);
    socket.data = this;
    arm(this.#timer, NAME_MS);
    if (early.length > 0) this.#take(early);
  }

  onOpen(_socket: RawSocket): void {}

  onHandshake(_socket: RawSocket, _ok: boolean, _error: Error | null): void {}

  onConnectFailed(_error: Error): void {}

  onDrain(): void {}

  onData(buffer: Buffer): void {
    if (!this.#isOver) this.#take(buffer);
  }

  onEnd(): void {
    if (this.#isOver) return;
    this.#named("");
    this.#socket.data.onEnd();
  }

  onClose(_error: Error | null): void {
    if (this.#isOver) return;
    this.#isOver = true;
    disarm(this.#timer);
    this.#owner.unnamed();
  }

  onTimer(_kind: number): void {
    if (!this.#isOver) this.#named("");
  }

  #take(bytes: Uint8Array): void {
    this.#bytes.append(bytes, 0, bytes.length);
    const name = serverName(this.#bytes.buffer.subarray(0, this.#bytes.length));
    if (name !== null) this.#named(name);
  }

  #named(name: string): void {
    this.#isOver = true;
    disarm(this.#timer);
    this.#owner.named(this.#socket, this.#bytes.buffer.subarray(0, this.#bytes.length), name);
  }
}
