/** Bytes of a connection, counted where they pass and handed to the metrics when somebody looks, or at the end. */
import { type Linked, LinkedList } from "../base/linked_list.ts";
import { resetConnection } from "./reset.ts";
import type { RawSocket } from "./socket.ts";

/** Where the bytes are added up; metric series of one peer. */
export interface ByteCounters {
  addRead(bytes: number): void;
  addWrite(bytes: number): void;
}

/** Counts of connections of one kind. */
export interface ConnectionCounters extends ByteCounters {
  onOpen(): void;
  /** @param errno "" for an orderly end */
  onClose(errno?: string): void;
}

const open = new LinkedList<ConnectionStats>();

/** Counts a connection that this proxy has opened, from now to its end. */
export function countConnection(socket: RawSocket, counters: ConnectionCounters): ConnectionStats {
  counters.onOpen();
  return new ConnectionStats(socket, counters, counters);
}

export class ConnectionStats implements Linked<ConnectionStats> {
  before: ConnectionStats | null = null;
  after: ConnectionStats | null = null;
  /** Bytes received so far; added to by the socket's data handler. */
  read = 0;
  readonly #socket: RawSocket;
  readonly #counters: ByteCounters;
  readonly #closing: ConnectionCounters | null;
  #reportedRead = 0;
  #reportedWritten = 0;

  /** @param closing told when the connection ends; null when its owner tells it */
  constructor(socket: RawSocket, counters: ByteCounters, closing: ConnectionCounters | null = null) {
    this.#socket = socket;
    this.#counters = counters;
    this.#closing = closing;
    open.add(this);
  }

  /** Cuts the connection off. */
  reset(): void {
    resetConnection(this.#socket);
  }

  /** Adds what has passed since the last time. */
  report(): void {
    const written = this.#socket.bytesWritten;
    if (this.read > this.#reportedRead) this.#counters.addRead(this.read - this.#reportedRead);
    if (written > this.#reportedWritten) this.#counters.addWrite(written - this.#reportedWritten);
    this.#reportedRead = this.read;
    this.#reportedWritten = written;
  }

  /** The connection is gone: reports for the last time. @param errno "" for an orderly end */
  close(errno: string): void {
    this.report();
    open.delete(this);
    this.#closing?.onClose(errno);
  }
}

/** Resets all open connections, so that none looks as if it had ended in order. */
export function resetOpenConnections(): void {
  for (const stats of open.toArray()) stats.reset();
}

/** Brings the counters of all open connections up to date; called before metrics are rendered. */
export function reportOpenConnections(): void {
  for (let stats = open.first; stats !== null; stats = stats.after) stats.report();
}
