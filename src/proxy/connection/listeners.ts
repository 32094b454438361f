/** The listeners of one thread: bound by it, or shared with other threads and processes by descriptor. */
import { type AcceptGate, closeDescriptor, listen, type Listener } from "../../net/listener.ts";
import type { Acceptor, TlsOptions } from "../../net/socket.ts";

/** An address to listen on. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** A socket that listens already; whoever is given it owns the descriptor. */
export interface GivenSocket {
  readonly fd: number;
  readonly port: number;
}

/** Sockets by the names of their listeners. */
export type GivenSockets = Readonly<Record<string, GivenSocket>>;

/** The names; a forward is called after its place in the configuration. */
export const OUTBOUND = "outbound";
export const OUTBOUND6 = "outbound6";
export const INBOUND = "inbound";
export const MESH = "mesh";
export const forwardName = (index: number) => `forward${index}`;

/** All names, in an order that every thread of a process agrees on. */
export function listenerNames(forwards: number): string[] {
  return [OUTBOUND, OUTBOUND6, INBOUND, MESH, ...Array.from({ length: forwards }, (_, index) => forwardName(index))];
}

/** How listeners come by their sockets. */
export interface ListenersOptions {
  /** May bind what it was not given: false in workers, which share the sockets of the main thread. */
  readonly mayBind: boolean;
  /** Evens out threads, null when there is one only. */
  readonly gate: ((name: string) => AcceptGate) | null;
}

export class Listeners {
  /** None is opened for now: another process has the sockets. */
  isHeld = false;
  readonly #options: ListenersOptions;
  readonly #given = new Map<string, GivenSocket>();
  readonly #open = new Map<string, Listener>();

  constructor(options: ListenersOptions) {
    this.#options = options;
  }

  /** Takes sockets to be used by `open`; those of open listeners are not needed. */
  give(sockets: GivenSockets): void {
    for (const [name, socket] of Object.entries(sockets)) {
      if (this.#open.has(name)) closeDescriptor(socket.fd);
      else this.#given.set(name, socket);
    }
  }

  get(name: string): Listener | null {
    return this.#open.get(name) ?? null;
  }

  /**
   * Opens a listener; does nothing when it is open already.
   *
   * @returns false when listeners are held, or when it was not given a socket and may not bind one. Throws when the address cannot be bound
   */
  open(name: string, address: ListenAddress, accept: Acceptor, tls: TlsOptions | null = null): boolean {
    if (this.#open.has(name)) return true;
    const given = this.#given.get(name);
    if (this.isHeld || (given === undefined && !this.#options.mayBind)) return false;
    const gate = this.#options.gate?.(name) ?? null;
    const listener = listen(given ?? address, accept, tls, gate);
    this.#given.delete(name);
    this.#open.set(name, listener);
    return true;
  }

  /** Further descriptors of all open listeners, for another thread or process; null when there are none left. */
  duplicates(): GivenSockets | null {
    const sockets: Record<string, GivenSocket> = {};
    for (const [name, listener] of this.#open) {
      const fd = listener.duplicate();
      if (fd < 0) return null;
      sockets[name] = { fd, port: listener.port };
    }
    return sockets;
  }

  /** Stops taking connections, and holds all listeners until they are given sockets again and `isHeld` is unset. */
  release(): void {
    this.isHeld = true;
    this.stop(false);
    this.#open.clear();
  }

  /** Ends all. `force`: with the connections that were accepted. */
  stop(force: boolean): void {
    for (const listener of this.#open.values()) listener.stop(force);
  }
}
