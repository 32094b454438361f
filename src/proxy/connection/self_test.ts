/**
 * Proves that capture works: a connection of the proxy's own to an address that exists nowhere, which only the redirect
 * rules can bring to the outbound listener. No container that validates is needed.
 */
import { SELF_TEST_IPV4, SELF_TEST_PORT } from "../../capture/capture_plan.ts";
import { Timer, type TimerOwner } from "../../base/timer_wheel.ts";
import type { ConnectionStats } from "../../net/connection_stats.ts";
import type { SocketAddress } from "../../net/orig_dst.ts";
import { dial, type RawSocket, type SocketOwner } from "../../net/socket.ts";
import { arm, disarm } from "../../net/ticker.ts";

/** Between tries: rules may be written after the proxy has started. */
const RETRY_MS = 500;

export class SelfTest implements SocketOwner, TimerOwner {
  stats: ConnectionStats | null = null;
  readonly #timer = new Timer(this, 0);
  /** Told when it has passed, in whatever thread that is. */
  onPassed: () => void = () => {};
  #passed = false;
  #socket: RawSocket | null = null;

  /** A connection of the test has reached the outbound listener. */
  get passed(): boolean {
    return this.#passed;
  }

  /** Tries until it has passed. */
  start(): void {
    dial(SELF_TEST_IPV4, SELF_TEST_PORT, this);
    arm(this.#timer, RETRY_MS);
  }

  /** Whether an accepted connection is one of the test; then capture works. */
  takes(address: SocketAddress): boolean {
    if (address.ip !== SELF_TEST_IPV4 || address.port !== SELF_TEST_PORT) return false;
    this.pass();
    return true;
  }

  /** Capture works: a connection of the test has arrived, here or elsewhere. */
  pass(): void {
    if (this.#passed) return;
    this.#passed = true;
    disarm(this.#timer);
    this.onPassed();
  }

  onTimer(_kind: number): void {
    this.#socket?.terminate();
    this.#socket = null;
    if (!this.#passed) this.start();
  }

  onOpen(socket: RawSocket): void {
    if (this.#passed) socket.terminate();
    else this.#socket = socket;
  }

  onHandshake(_socket: RawSocket, _ok: boolean, _error: Error | null): void {}

  onData(_buffer: Buffer): void {}

  onDrain(): void {}

  onEnd(): void {
    this.#socket?.terminate();
    this.#socket = null;
  }

  onClose(_error: Error | null): void {
    this.#socket = null;
  }

  onConnectFailed(_error: Error): void {}
}
