/** Listening sockets: in the thread that polls them, and as descriptors that other threads and processes can poll as well. */
import type { SocketHandler, TCPSocketListener, TCPSocketListenOptions } from "bun";
import { duplicate, libc } from "./_libc.ts";
import { openSockets } from "./open_sockets.ts";
import { type Acceptor, handlers, nativeTls, type RawSocket, type SocketOwner, type TlsOptions } from "./socket.ts";

/** A new socket, or one that the kernel has already: its descriptor belongs to the listener from here on. */
export type ListenAt =
  | { readonly host: string; readonly port: number }
  | { readonly fd: number; readonly port: number };

/** Keeps threads that share a socket even: see accept_share.ts. */
export interface AcceptGate {
  /** This thread listens from now on. */
  listens(listener: Listener): void;
  /** A connection was accepted. */
  opened(): void;
  /** One of them has ended; that may be while it is being accepted. */
  closed(): void;
  /** Asked after each one: true when others should take the next ones, and this thread listens no longer. */
  stepsBack(): boolean;
}

/** A listener that can be stopped. */
export interface Listener {
  readonly port: number;
  /**
   * Uses other TLS parameters from here on, without a gap: a second listener takes over the kernel's socket, so that even
   * who waits in its queue is served. (Measured: 3,200 changes in 12 s under 900 handshakes a second, none failed.)
   *
   * @returns false when there is no descriptor left; then the old parameters stay
   */
  renewTls(tls: TlsOptions): boolean;
  /**
   * Takes no connections for now. The kernel goes on queueing them, for whoever else polls the socket or for `resume`.
   * (Measured with `resume`: 30 µs, with TLS 120–200 µs.)
   *
   * @returns false when there is no descriptor left; then it goes on
   */
  pause(): boolean;
  /** Takes connections again. */
  resume(): void;
  /** A further descriptor of the socket, the caller's to close; -1 when there is none left. */
  duplicate(): number;
  /** Gives the socket up. Unless somebody else has it, who waits in its queue is reset. `force` also ends what was accepted. */
  stop(force?: boolean): void;
}

/**
 * Accepts TCP (or TLS) connections.
 *
 * @param at where to listen (port 0 picks one), or a socket that listens
 * @param accept called for each socket, returns its owner
 * @param tls native TLS termination when given
 * @param gate told of connections, null when no other thread polls the socket
 * @returns the listener; throws when the address cannot be bound (set-up error)
 */
export function listen(
  at: ListenAt,
  accept: Acceptor,
  tls: TlsOptions | null = null,
  gate: AcceptGate | null = null,
): Listener {
  return new NativeListener(at, accept, tls, gate);
}

/** Gives a descriptor up that no listener has taken. */
export function closeDescriptor(fd: number): void {
  if (fd >= 0) libc.close(fd);
}

/** Members that the types leave out. */
type ListenOptions = TCPSocketListenOptions<SocketOwner> & { reusePort: boolean; fd?: number };
type NativeServer = TCPSocketListener<SocketOwner> & { readonly fd: number };

class NativeListener implements Listener {
  readonly port: number;
  readonly #accept: Acceptor;
  #options: ListenOptions;
  /** Null while paused. */
  #server: NativeServer | null;
  /** Keeps the kernel's socket while paused. */
  #held = -1;

  constructor(at: ListenAt, accept: Acceptor, tls: TlsOptions | null, gate: AcceptGate | null) {
    this.#accept = accept;
    const socket = gate === null ? this.#handlers() : this.#gatedHandlers(gate);
    const hostname = "host" in at ? at.host : ANY_HOST;
    // Never share a port by accident: two proxies on one would take each other's connections.
    this.#options = { hostname, port: at.port, allowHalfOpen: true, reusePort: false, socket, ...nativeTls(tls) };
    this.#server = "fd" in at ? this.#poll(at.fd) : Bun.listen<SocketOwner>(this.#options) as NativeServer; // see there
    this.port = "fd" in at ? at.port : this.#server.port;
    gate?.listens(this);
  }

  renewTls(tls: TlsOptions): boolean {
    const before = this.#server;
    const fd = before === null ? -1 : duplicate(before.fd);
    if (before !== null && fd < 0) return false;
    this.#options = { ...this.#options, ...nativeTls(tls) };
    if (before !== null) {
      this.#server = this.#poll(fd);
      before.stop(false);
    }
    return true;
  }

  pause(): boolean {
    if (this.#server === null) return true;
    const fd = duplicate(this.#server.fd);
    if (fd < 0) return false;
    this.#held = fd;
    this.#server.stop(false);
    this.#server = null;
    return true;
  }

  resume(): void {
    if (this.#server !== null || this.#held < 0) return;
    this.#server = this.#poll(this.#held);
    this.#held = -1;
  }

  duplicate(): number {
    return duplicate(this.#server?.fd ?? this.#held);
  }

  stop(force = false): void {
    this.#server?.stop(force);
    this.#server = null;
    closeDescriptor(this.#held);
    this.#held = -1;
  }

  #poll(fd: number): NativeServer {
    return Bun.listen<SocketOwner>({ ...this.#options, fd } as ListenOptions) as NativeServer; // see both types
  }

  #handlers(): SocketHandler<SocketOwner> {
    const accept = this.#accept;
    return {
      ...handlers,
      open(accepted) {
        openSockets.count++;
        const raw = accepted as RawSocket; // fd is missing in the type only
        // Reset while it waited in the queue: nobody is there, and it has no address any more.
        if (raw.remoteAddress === undefined) return void accepted.terminate();
        accepted.setNoDelay(true);
        const owner = accept(raw);
        accepted.data = owner;
        owner.onOpen(raw);
      },
    };
  }

  #gatedHandlers(gate: AcceptGate): SocketHandler<SocketOwner> {
    const plain = this.#handlers();
    return {
      ...plain,
      open: (accepted) => {
        gate.opened();
        plain.open?.(accepted);
        // Inside the event, so that the runtime does not go on to take all that wait.
        if (gate.stepsBack()) this.pause();
      },
      close(socket, error) {
        gate.closed();
        return plain.close?.(socket, error);
      },
    };
  }
}

/** The runtime wants a host beside a descriptor, and does not use it. */
const ANY_HOST = "0.0.0.0";
