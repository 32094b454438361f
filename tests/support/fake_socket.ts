/**
 * A socket without a network, for the engines: what they write is collected, and the test says how much it takes.
 * It behaves as Bun's sockets were measured to: `end` and `terminate` close at once and call `onClose` before they return,
 * a write on a closed socket gives -1, and a paused socket still reports that it was reset.
 */
import type { RawSocket, SocketOwner } from "../../src/net/socket.ts";

/** Lets everything run that waits for the present turn of the event loop: the outboxes' flush above all. */
export async function turn(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise<void>((resolve) => setImmediate(resolve));
}

export class FakeSocket {
  data!: SocketOwner; // set by the engine that takes the socket
  readonly remoteAddress = "192.0.2.1";
  readonly localAddress = "192.0.2.2";
  readonly fd = -1;
  /** Bytes that writes may still take; a write beyond is short until `drain` gives more. */
  room: number = Infinity;
  paused = false;
  /** FIN was sent. */
  shut = false;
  closed = false;
  /** Closed by `terminate`: what the peer sees is a reset. */
  terminated = false;
  bytesWritten = 0;
  /** Number of write calls. */
  writes = 0;
  #out: Buffer[] = [];
  #in: (Buffer | "fin")[] = [];

  /** This socket as the engines take it. */
  get raw(): RawSocket {
    return this as unknown as RawSocket; // the engines use no other members
  }

  /** What was written since the last call. */
  take(): Buffer {
    const all = Buffer.concat(this.#out);
    this.#out = [];
    return all;
  }

  // --- the peer's side

  /** Bytes arrive, unless the socket is paused: then they wait for `resume`. */
  deliver(bytes: Uint8Array | string): void {
    const buffer = typeof bytes === "string" ? Buffer.from(bytes, "latin1") : Buffer.from(bytes);
    if (this.closed) return;
    if (this.paused || this.#in.length > 0) this.#in.push(buffer);
    else this.data.onData(buffer);
  }

  /** The peer sends its FIN, behind what waits. */
  fin(): void {
    if (this.closed) return;
    if (this.paused || this.#in.length > 0) this.#in.push("fin");
    else this.data.onEnd();
  }

  /** The peer resets the connection. */
  reset(): void {
    this.#close(new Error("ECONNRESET"));
  }

  /** The peer reads: so many bytes may be written again. */
  drain(bytes: number = Infinity): void {
    this.room += bytes;
    if (!this.closed) this.data.onDrain();
  }

  // --- what the engines use

  write(buffer: Uint8Array, start = 0, length: number = buffer.length - start): number {
    if (this.closed || this.shut) return -1;
    this.writes++;
    const taken = Math.min(length, this.room);
    if (start < 0 || start + length > buffer.length) {
      throw new RangeError(`write beyond the buffer: ${start}+${length}`);
    }
    this.room -= taken;
    this.bytesWritten += taken;
    if (taken > 0) this.#out.push(Buffer.from(buffer.subarray(start, start + taken)));
    return taken;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    if (this.#in.length > 0) setImmediate(() => this.#pump());
  }

  setNoDelay(): void {}

  shutdown(): void {
    this.shut = true;
  }

  end(): void {
    this.#close(null);
  }

  terminate(): void {
    if (!this.closed) this.terminated = true;
    this.#close(null);
  }

  #pump(): void {
    while (!this.paused && !this.closed) {
      const next = this.#in.shift();
      if (next === undefined) return;
      if (next === "fin") this.data.onEnd();
      else this.data.onData(next);
    }
  }

  #close(error: Error | null): void {
    if (this.closed) return;
    this.closed = true;
    this.#in = [];
    this.data.onClose(error);
  }
}
