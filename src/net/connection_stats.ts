/** Bytes of a connection, counted where they pass and handed to the metrics when somebody looks, or at the end. */
import type { RawSocket } from "./socket.ts";

/** Where the bytes are added up; metric series of one peer. */
export interface ByteCounters {
  addRead(bytes: number): void;
  addWrite(bytes: number): void;
}

const open = new Set<ConnectionStats>();

export class ConnectionStats {
  /** Bytes received so far; added to by the socket's data handler. */
  read = 0;
  readonly #socket: RawSocket;
  readonly #counters: ByteCounters;
  #reportedRead = 0;
  #reportedWritten = 0;

  constructor(socket: RawSocket, counters: ByteCounters) {
    this.#socket = socket;
    this.#counters = counters;
    open.add(this);
  }

  /** Adds what has passed since the last time. */
  report(): void {
    const written = this.#socket.bytesWritten;
    if (this.read > this.#reportedRead) this.#counters.addRead(this.read - this.#reportedRead);
    if (written > this.#reportedWritten) this.#counters.addWrite(written - this.#reportedWritten);
    this.#reportedRead = this.read;
    this.#reportedWritten = written;
  }

  /** The connection is gone: reports for the last time. */
  close(): void {
    this.report();
    open.delete(this);
  }
}

/** Brings the counters of all open connections up to date; called before metrics are rendered. */
export function reportOpenConnections(): void {
  for (const stats of open) stats.report();
}
